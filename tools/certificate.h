/* certificate.h - what a program does to memory, for someone else to check. */
#ifndef SONOC_CERTIFICATE_H
#define SONOC_CERTIFICATE_H

#include "loop.h"

/* JSON; the program was planned.  tests/certificate.py tells what it proves. */
const Text *certificate_of(const Program *p);

#endif
