// The hot loops, compiled once per CPU level (x86-64-v4, x86-64-v3, baseline) and chosen at run time.
// Every pointer is borrowed for the call; every matrix is row-major with a dense stride; sizes are element counts.
// Nothing here allocates, and no function reads or writes past the sizes given.
#ifndef CKERNELS_H
#define CKERNELS_H

#include "ck_matrices.h"
#include "ck_search.h"
#include "ck_training.h"
#include "ck_inference.h"
#include "ck_platform.h"

#endif
