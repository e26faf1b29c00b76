#include <cblas.h>

// LAPACK is part of OpenBLAS, but Debian's package has no header for it. Eigenvalues, ascending, and eigenvectors of a
// symmetric matrix: jobz, uplo, order, matrix (becomes the vectors, one a column), its leading dimension, values,
// workspace, its size, info.
void dsyev_(const char *, const char *, const int *, double *, const int *, double *, double *, const int *, int *);
