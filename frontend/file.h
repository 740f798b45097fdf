/* file.h - files mapped into memory: the model, and its external data inside its own folder. */
#ifndef SONOC_FILE_H
#define SONOC_FILE_H

#include "scan.h"

/* Maps a regular file for reading; the mapping stays until the unit ends.  False: reported. */
bool file_map(Unit *u, const char *path, Span *bytes);
/* Of a mapping: its pages leave our memory until they are looked at again. */
void file_forget(Span bytes);

/* The folder of the model and the files of it that are mapped already. */
typedef struct Folder {
    Unit *unit;
    ImportOptions options;
    int fd;          /* -1: not opened yet */
    Map by_location; /* interned location -> FolderFile */
    VEC(struct FolderFile *) files;
} Folder;

/* Closed when the unit ends. */
Folder *folder_new(Unit *u, const ImportOptions *options);
/* Maps a file below the model's folder, each file once.  Returns NULL and fills *why if that is not
 * allowed or fails. */
const Span *folder_map(Folder *folder, const char *location, const char **why);

/* What a file that is no ONNX model seems to be, or NULL. */
const char *file_guess(Span bytes);

#endif
