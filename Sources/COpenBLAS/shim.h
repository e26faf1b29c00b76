#include <cblas.h>

// LAPACK is part of OpenBLAS, but Debian's package has no header for it. Eigenvalues, ascending, and eigenvectors of a
// symmetric matrix: jobz, uplo, order, matrix (becomes the vectors, one a column), its leading dimension, values,
// workspace, its size, info.
void dsyev_(const char *, const char *, const int *, double *, const int *, double *, double *, const int *, int *);

// Cholesky factor of a symmetric positive definite matrix, and the inverse from that factor: uplo, order, matrix, its
// leading dimension, info.
void spotrf_(const char *, const int *, float *, const int *, int *);
void spotri_(const char *, const int *, float *, const int *, int *);
