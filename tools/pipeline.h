/* pipeline.h - the way of a model, stage by stage, as the options say. */
#ifndef SONOC_PIPELINE_H
#define SONOC_PIPELINE_H

#include "driver.h"
#include "model.h"
#include "options.h"
#include "output.h"
#include "progress.h"
#include "timeline.h"

/* What a command works in. */
typedef struct Session {
    Unit unit;
    const Options *options;
    Driver driver;               /* as the options say */
    Progress *progress;
    Timeline timeline;
    const struct RuleSet *rules; /* of --rules; none without it */
    Graph *graph;                /* once it was read; for the dump when a mistake of ours is met */
    OutputSet outputs;           /* dropped if the command does not commit them */
} Session;

/* The model as a graph: an ONNX file, or the text of a graph (.sonoc).  NULL: reported. */
Graph *pipeline_import(Session *s);
/* The rules of --rules, none without it.  NULL: reported. */
struct RuleSet *pipeline_rules(Session *s);
/* Runs the passes on it.  false: reported. */
bool pipeline_passes(Session *s);
/* Import, passes, lowering and memory plan; the text of a program (.loops) is read as it is.  NULL: reported. */
Program *pipeline_program(Session *s, bool plain);
/* As pipeline_program, after it, for another target. */
Program *pipeline_replan(Session *s, const Target *target, bool plain);
/* Sets the session's driver. */
void pipeline_begin(Session *s);
/* The program made ready by a backend, in the session's unit; sonoc_close unloads it.  NULL: reported. */
struct sonoc_model *pipeline_model(Session *s, const Program *p, const char *backend);
/* The same for the model as a whole, which may come from the cache. */
struct sonoc_model *pipeline_kept_model(Session *s);

/* The name of what is being done from now on, for the terminal and the timeline; NULL: nothing. */
void session_stage(Session *s, const char *what);

#endif
