/// Where the positional rows come from.
public enum PositionTable: String, Codable, Sendable, CaseIterable {
    /// A trained table.
    case learned
    /// Fixed sines and cosines.
    case sinusoid
}

/// The end of the window that short histories leave empty.
public enum PaddingSide: String, Codable, Sendable, CaseIterable {
    /// Position 0 is the oldest item kept.
    case right
    /// The last position is the newest item.
    case left
}
