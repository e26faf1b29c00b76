public import Kernels

/// A named way of reading user vectors out of a model.
public struct ReadOut: Sendable, Hashable, CustomStringConvertible {
    /// The name in reports.
    public let description: String

    /// Names a read-out.
    public init(_ name: String) { description = name }

    /// The vector that the model serves.
    public static let served = ReadOut("served")
}

/// Vectors of several users, the same number for each.
public struct UserVectors: Sendable {
    /// Rows `[users * perUser, d]`; a user's score of an item is the largest over their rows.
    public var rows: Matrix
    /// Vectors of each user.
    public var perUser: Int

    /// Groups vectors by user.
    public init(rows: Matrix, perUser: Int = 1) {
        precondition(perUser >= 1 && rows.rows % perUser == 0, "\(rows.rows) rows do not divide by \(perUser)")
        self.rows = rows
        self.perUser = perUser
    }
}

/// The random numbers of a forward pass: one seed for all rows, and one stream for each row.
public struct NoiseSource: Sendable {
    /// Shared by all rows.
    public var seed: UInt64
    /// One number for each row; equal numbers give equal noise, in any batch and at any place.
    public var streams: [UInt64]

    /// Creates the noise source of some rows.
    public init(seed: UInt64, streams: [UInt64]) {
        self.seed = seed
        self.streams = streams
    }
}
