#include <mpi.h>
#include <stdint.h>

// The calls of MPI that a training needs, over all processes. MPI's constants are macros of casts, which Swift cannot
// import. An error ends all processes, which is MPI's default, so nothing is returned. Counts and places are in bytes.

static inline void mpi_start(void) {
    int provided;
    MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &provided);
}

static inline void mpi_end(void) { MPI_Finalize(); }

static inline int mpi_rank(void) {
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    return rank;
}

static inline int mpi_size(void) {
    int size;
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    return size;
}

// Sends number i to rank i, and receives one number of each rank.
static inline void mpi_all_to_all(const int64_t *send, int64_t *receive) {
    MPI_Alltoall(send, 1, MPI_INT64_T, receive, 1, MPI_INT64_T, MPI_COMM_WORLD);
}

static inline void mpi_all_to_all_bytes(const void *send, const int *counts, const int *places, void *receive,
                                        const int *received_counts, const int *received_places) {
    MPI_Alltoallv(send, counts, places, MPI_BYTE, receive, received_counts, received_places, MPI_BYTE, MPI_COMM_WORLD);
}

// Sends one number to all ranks, and receives one of each.
static inline void mpi_all_gather(int64_t send, int64_t *receive) {
    MPI_Allgather(&send, 1, MPI_INT64_T, receive, 1, MPI_INT64_T, MPI_COMM_WORLD);
}

static inline void mpi_all_gather_bytes(const void *send, int count, void *receive, const int *received_counts,
                                        const int *received_places) {
    MPI_Allgatherv(send, count, MPI_BYTE, receive, received_counts, received_places, MPI_BYTE, MPI_COMM_WORLD);
}

// Sends the bytes of rank 0 to all ranks.
static inline void mpi_broadcast(void *bytes, int count) { MPI_Bcast(bytes, count, MPI_BYTE, 0, MPI_COMM_WORLD); }
