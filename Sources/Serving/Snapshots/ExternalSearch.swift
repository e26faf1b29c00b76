public import CheckpointStore
public import Kernels
public import VectorIndex

/// Servers outside of the process that hold the item vectors of some versions.
///
/// A ``SnapshotBuilder`` with such a search serves only versions that the servers hold completely.
public protocol ExternalSearch: Sendable {
    /// Checks that the servers hold a version completely.
    ///
    /// - Throws: ``SnapshotError/notSearchable(_:)`` if they do not, or ``SnapshotError/searchUnavailable(_:)`` if they do
    ///   not answer.
    func require(_ version: VersionSummary) throws(SnapshotError)

    /// The index over a version that ``require(_:)`` has checked.
    ///
    /// - Parameters:
    ///   - version: The version.
    ///   - vectors: Its unit vectors, row `i` for item `i`.
    /// - Returns: An index of these vectors.
    /// - Throws: ``SnapshotError/notSearchable(_:)``, or an error about the vectors.
    func index(of version: CheckpointManifest, vectors: Matrix) throws -> any VectorIndex
}
