#include <cblas.h>

// OpenBLAS contains LAPACK, but Debian's package has no header for it. This function computes the ascending eigenvalues
// and the eigenvectors of a symmetric matrix. Arguments: jobz, uplo, order, matrix (overwritten by the vectors, one per
// column), its leading dimension, values, workspace, its size, info.
void dsyev_(const char *, const char *, const int *, double *, const int *, double *, double *, const int *, int *);

// Cholesky factor of a symmetric positive definite matrix, and the inverse from that factor. Arguments: uplo, order,
// matrix, its leading dimension, info.
void spotrf_(const char *, const int *, float *, const int *, int *);
void spotri_(const char *, const int *, float *, const int *, int *);
