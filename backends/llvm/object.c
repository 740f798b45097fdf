/* object.c - a program as machine code to be shipped. */
#include "object.h"

#include "machine.h"

bool object_emit(const Program *p, const Machine *machine, CodeForm form,
                 const EmitOptions *options, EmitResult *result, RunError *error) {
    EmitOptions own = *options;
    if (own.weights != WEIGHTS_OBJECT) own.weights = WEIGHTS_LITERAL;
    emit_c_header(p, &own, result);
    bool beside = result->form == WEIGHTS_OBJECT;
    LlvmUnits units = emit_llvm_whole(p, own.prefix, own.caller_arena, beside);
    LLVMMemoryBufferRef code;
    bool ok = machine_compile(machine, &units, form, 1, &code, error);
    llvm_units_free(&units);
    if (!ok) return false;
    text_add_bytes(&result->source, LLVMGetBufferStart(code), LLVMGetBufferSize(code));
    LLVMDisposeMemoryBuffer(code);
    return true;
}
