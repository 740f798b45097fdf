/* report.c - prints what a program costs, for people or as JSON. */
#include "report.h"

#include "json.h"
#include <inttypes.h>
#include <string.h>

static int64_t buffer_bytes(const Buffer *b) { return b->count * dtypes[b->type].bytes; }

Totals program_totals(const Program *p) {
    Totals t = {.kernels = p->kernels.n};
    for (int i = 0; i < p->kernels.n; i++) t.macs += p->kernels.at[i]->macs;
    for (int i = 0; i < p->buffers.n; i++)
        if (p->buffers.at[i]->kind == BUF_CONST) t.constant_bytes += buffer_bytes(p->buffers.at[i]);
    return t;
}

/* The comment's first line. */
static void print_line(const char *comment, FILE *out) {
    if (comment) fwrite(comment, 1, strcspn(comment, "\n"), out);
}

static void print_kernels(const Program *p, FILE *out) {
    fprintf(out, "%5s %13s %13s  %s\n", "", "multiply-adds", "bytes", "kernel");
    for (int i = 0; i < p->kernels.n; i++) {
        const Kernel *k = p->kernels.at[i];
        fprintf(out, "%5d %13" PRId64 " %13" PRId64 "  %s: ", i, k->macs, k->bytes, k->name);
        print_line(k->comment, out);
        fputc('\n', out);
    }
}

static void print_arena(const Program *p, FILE *out) {
    fprintf(out, "\n%13s %13s %11s  %s\n", "offset", "bytes", "kernels", "arena");
    for (int i = 0; i < p->buffers.n; i++) {
        const Buffer *b = p->buffers.at[i];
        if (b->kind != BUF_ARENA) continue;
        fprintf(out, "%13" PRId64 " %13" PRId64 " %5d-%5d  %s\n", b->offset, buffer_bytes(b), b->first_kernel,
                b->last_kernel, b->name);
    }
}

static void report_text(const Program *p, const ReportFiles *files, FILE *out) {
    Totals t = program_totals(p);
    print_kernels(p, out);
    print_arena(p, out);
    fprintf(out, "\nkernels         %d\n", t.kernels);
    fprintf(out, "multiply-adds   %" PRId64 "\n", t.macs);
    fprintf(out, "constants       %" PRId64 " bytes, as %s\n", t.constant_bytes, files->form);
    fprintf(out, "arena (peak)    %" PRId64 " bytes\n", p->arena_bytes);
    fprintf(out, "files           %s (%zu bytes), %s", files->source, files->source_bytes, files->header);
    if (files->weights) fprintf(out, ", %s (%zu bytes)", files->weights, files->weights_bytes);
    fputc('\n', out);
}

static void json_kernels(const Program *p, Json *j) {
    json_begin(j, "kernels", '[');
    for (int i = 0; i < p->kernels.n; i++) {
        const Kernel *k = p->kernels.at[i];
        json_begin(j, NULL, '{');
        json_text(j, "name", k->name);
        json_text(j, "comment", k->comment);
        json_int(j, "multiply_adds", k->macs);
        json_int(j, "bytes", k->bytes);
        json_end(j, '}');
    }
    json_end(j, ']');
}

static void json_arena(const Program *p, Json *j) {
    json_begin(j, "arena", '[');
    for (int i = 0; i < p->buffers.n; i++) {
        const Buffer *b = p->buffers.at[i];
        if (b->kind != BUF_ARENA) continue;
        json_begin(j, NULL, '{');
        json_text(j, "name", b->name);
        json_int(j, "offset", b->offset);
        json_int(j, "bytes", buffer_bytes(b));
        json_int(j, "first_kernel", b->first_kernel);
        json_int(j, "last_kernel", b->last_kernel);
        json_end(j, '}');
    }
    json_end(j, ']');
}

static void report_json(const Program *p, const ReportFiles *files, FILE *out) {
    Totals t = program_totals(p);
    Json j = {.out = out};
    json_begin(&j, NULL, '{');
    json_int(&j, "version", 1);
    json_text(&j, "source", files->source);
    json_text(&j, "header", files->header);
    json_text(&j, "weights", files->weights);
    json_text(&j, "weights_form", files->form);
    json_int(&j, "multiply_adds", t.macs);
    json_int(&j, "constant_bytes", t.constant_bytes);
    json_int(&j, "arena_bytes", p->arena_bytes);
    json_kernels(p, &j);
    json_arena(p, &j);
    json_end(&j, '}');
}

void report_print(const Program *p, const ReportFiles *files, bool as_json, FILE *out) {
    (as_json ? report_json : report_text)(p, files, out);
}
