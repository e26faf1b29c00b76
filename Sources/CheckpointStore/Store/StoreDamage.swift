/// A damaged part of a store; the other parts stay usable.
public struct StoreDamage: Sendable, Hashable, CustomStringConvertible {
    /// The damaged part.
    public let location: String
    /// The damage.
    public let what: String

    /// `version 4 of 'm': its header is missing`.
    public var description: String { "\(location): \(what)" }

    init(location: String, what: String) {
        self.location = location
        self.what = what
    }

    /// The damage in an error from reading a part.
    init(location: String, _ error: any Error) {
        self.location = location
        if case CheckpointError.corrupted(let what, _) = error { self.what = what } else { what = "\(error)" }
    }
}
