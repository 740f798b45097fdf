/* tensor_set.h - named tensors from .npz, .npy and .pb files and folders of them, and back to an .npz file. */
#ifndef SONOC_TENSOR_SET_H
#define SONOC_TENSOR_SET_H

#include "diag.h"
#include "type.h"

typedef struct NamedTensor {
    const char *name;
    int position;                /* of ONNX's test data, input_3.pb: 3; -1: known by name only */
    const Tensor *tensor;
} NamedTensor;

typedef VEC(NamedTensor) TensorSet;

/* Adds what `files` names: in.npz, a folder, NAME=FILE.npy, FILE.pb.  In a folder, `role` ("input", "output") chooses
 * among files called input_0.pb and output_0.pb.  false: reported. */
bool tensor_set_read(Unit *u, const char *files, const char *role, TensorSet *set);
/* By name, else by position; NULL if absent. */
const Tensor *tensor_set_find(const TensorSet *set, const char *name, int position);
/* Writes an .npz file; false: reported. */
bool tensor_set_write(Unit *u, const TensorSet *set, const char *path);

#endif
