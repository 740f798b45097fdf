/* code_pages.c - LLVM's code out of memory: some 50 MB of a library that is needed again for the
 * next model only. */
#include "code_pages.h"

#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <llvm-c/Core.h>

static uintptr_t begin_of(const struct dl_phdr_info *info, const ElfW(Phdr) * part) {
    return (uintptr_t)info->dlpi_addr + part->p_vaddr;
}

static bool has_address(const struct dl_phdr_info *info, uintptr_t address) {
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && address - begin_of(info, part) < part->p_memsz) return true;
    }
    return false;
}

/* Whole pages that are as they are in the file. */
static void forget_part(uintptr_t begin, uintptr_t end) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    begin = (begin + page - 1) / page * page;
    end = end / page * page;
    if (begin < end) madvise((void *)begin, end - begin, MADV_DONTNEED);
}

static int visit_library(struct dl_phdr_info *info, size_t size, void *context) {
    (void)size;
    if (!has_address(info, *(const uintptr_t *)context)) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t begin = begin_of(info, part);
        if (part->p_type == PT_LOAD && !(part->p_flags & PF_W))
            forget_part(begin, begin + part->p_filesz);
    }
    return 1;
}

void code_pages_forget(void) {
    uintptr_t inside = (uintptr_t)LLVMContextCreate; /* of the library */
    dl_iterate_phdr(visit_library, &inside);
}
