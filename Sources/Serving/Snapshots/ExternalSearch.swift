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

    /// How each server's searches went since the start, in the order of the servers.
    var outcomes: [SearchOutcomes] { get }
}

/// How searches of one server outside of the process went.
public struct SearchOutcomes: Sendable, Equatable {
    /// The searches that it answered in time.
    public var answered = 0
    /// The searches that did without it: it failed, was late, or was left alone after a failure.
    public var missing = 0

    /// No search yet.
    public init() {}
}
