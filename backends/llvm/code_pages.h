/* code_pages.h - LLVM's code out of memory. */
#ifndef SONOC_CODE_PAGES_H
#define SONOC_CODE_PAGES_H

/* The pages of LLVM's code leave this process until they are run again.  At any time, from any thread. */
void code_pages_forget(void);

#endif
