/// A part of a store that is not as it was written; everything else can be used.
public struct StoreDamage: Sendable, Hashable, CustomStringConvertible {
    /// Which part it is.
    public let location: String
    /// What is wrong with it.
    public let what: String

    /// `version 4 of 'm': its header is missing`.
    public var description: String { "\(location): \(what)" }

    init(location: String, what: String) {
        self.location = location
        self.what = what
    }

    /// The damage that reading a part ended with.
    init(location: String, _ error: any Error) {
        self.location = location
        if case CheckpointError.corrupted(let what, _) = error { self.what = what } else { what = "\(error)" }
    }
}
