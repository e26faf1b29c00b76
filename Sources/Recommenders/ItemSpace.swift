public import Kernels

/// The items that a model's user vectors are compared with.
public enum ItemSpace: Sendable {
    /// Item vectors, `[V, d]`, of any length; a score is an inner product.
    case vectors(Matrix)
    /// No item vectors: a user vector holds the scores of all items, `[V]`.
    case scores(items: Int)

    /// The number of items.
    public var count: Int {
        switch self {
        case .vectors(let rows): rows.rows
        case .scores(let items): items
        }
    }

    /// The item vectors, or nil if there are none.
    public var vectors: Matrix? {
        switch self {
        case .vectors(let rows): rows
        case .scores: nil
        }
    }

    /// Blocks of consecutive items whose scores are computed together.
    ///
    /// They depend on the number of items alone. So a process that holds one block of item vectors gets the same scores,
    /// to the last bit, as one that holds them all.
    ///
    /// - Parameter items: The number of items.
    /// - Returns: Blocks of 16,384 items; the last one has at most twice as many.
    public static func blocks(of items: Int) -> [Range<Int>] {
        let size = 1 << 14
        let count = max(1, items / size)
        return (0..<count).map { $0 * size..<($0 + 1 == count ? items : ($0 + 1) * size) }
    }

    /// How many users' scores of a catalogue are worth computing together, 32 to 256.
    ///
    /// Each block of items is packed once for all of them. Their scores take at most 256 MB up to 2 million items, and 128
    /// bytes an item above.
    public static func usersTogether(items: Int) -> Int { max(32, min(256, (1 << 26) / max(1, items))) }

    /// The scores of all items for each user, `[users, V]`: the largest score over the user's vectors.
    ///
    /// - Complexity: O(rows * V * d).
    public func scores(of users: UserVectors) -> Matrix {
        let scores =
            switch self {
            case .vectors(let items):
                Matrix.product(users.rows, transposed: items, blocks: Self.blocks(of: items.rows))
            case .scores: users.rows
            }
        return users.perUser > 1 ? scores.maximumOfRowGroups(of: users.perUser) : scores
    }
}

/// A model's items and user vectors in the form that an index of unit vectors needs.
///
/// Item vectors of length one stay as they are. Other item vectors get one extra component that makes them unit
/// vectors: an item `x` becomes `[x, sqrt(m^2 - |x|^2)] / m`, with `m` the length of the longest item, and a user
/// vector `u` becomes `[u, 0]`. This preserves the ranking by inner product (Bachrach et al., RecSys 2014, section
/// 3.1).
public struct SearchSpace: Sendable {
    /// Unit vectors of the items, `[V, dimension]`; `[V, 0]` if user vectors are scores.
    public let items: Matrix
    /// Length of a query.
    public let dimension: Int
    /// A score of the search is a score of the model times this factor.
    public let scale: Float
    /// How many more elements a query has than a user vector: 0 or 1.
    private let added: Int

    /// The space of a model.
    public init(_ space: ItemSpace) {
        switch space {
        case .scores(let count):
            (items, dimension, added, scale) = (Matrix(rows: count, columns: 0), count, 0, 1)
        case .vectors(let rows):
            let lengths = rows.normalisedRows(epsilon: .leastNormalMagnitude).norms
            let longest = max(lengths.max() ?? 0, .leastNormalMagnitude)
            if lengths.allSatisfy({ abs($0 - 1) < 1e-3 }) {
                (items, dimension, added, scale) = (rows, rows.columns, 0, 1)
            } else {
                var scaled = rows
                scaled.scale(by: 1 / longest)
                let rest = lengths.map { (1 - Double($0 / longest) * Double($0 / longest)).squareRoot() }
                items = scaled.appendingColumn(rest.map { Float($0) })
                (dimension, added, scale) = (items.columns, 1, 1 / longest)
            }
        }
    }

    /// User vectors as queries, `[rows, dimension]`.
    ///
    /// - Precondition: The vectors come from the model of this space.
    public func queries(_ users: Matrix) -> Matrix {
        precondition(users.columns + added == dimension, "user vectors \(users.shape) in a space of \(dimension)")
        return added == 0 ? users : users.appendingColumn([Float](repeating: 0, count: users.rows))
    }
}
