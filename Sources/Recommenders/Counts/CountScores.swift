public import Kernels

/// Scores from counts of the training part, which are added to a system's own scores.
///
/// A network learns what many histories have in common; counts keep what it blurs: sharp transitions, rare pairs, and
/// how a user comes back to items. The score of an item is
///
///     s (user vector) · (item vector) + sum over i of w_i * t_i
///
/// with twelve terms `t_i` that only the items linked to the history and the most popular ones have (see ``Terms``), and
/// with a slope `s` (see ``Slopes``) that is 1 for all other items. Weights and slopes are fitted on validation rows.
public struct CountScores: Sendable, Equatable {
    /// The terms of one item, in the first lanes of a vector; the others are 0.
    ///
    /// With `f` the share of times that the item followed the newest one, and `n` the sum of the cosines of the item
    /// with each of the 20 newest, times 0.9 to the power of its age:
    /// 0. `log(1 + 10 f)`
    /// 1. `log(1 + 1000 f)`
    /// 2. `log(1 + 10 n)`
    /// 3. `log(1 + 1000 n)`
    /// 4. 1 for an item of the history
    /// 5. for an item of the history, 1 / (1 + age), where the newest item has age 0
    /// 6. for an item of the history, the logarithm of how often it occurs there
    /// 7. for an item of the history, the logarithm of the history's length
    /// 8. for an item of the history, log(1 + age)
    /// 9. for an item of the history, term 1
    /// 10. for an item of the history, term 3
    /// 11. for one of the most popular items, the logarithm of how much more often it occurs than the first item that is
    ///     not one of them
    ///
    /// With weights of 1 and -1, terms 6 and 7 make the share of the history that the item is.
    public typealias Terms = SIMD16<Float>

    /// The number of terms.
    public static let termCount = 12
    /// The lane of the term that is 1 for an item of the history.
    public static let repeated = 4
    /// The lane of the term of popular items.
    public static let popularity = 11
    /// The lanes of the terms that change the slope: of followers and of neighbours.
    public static let (followed, near) = (1, 3)

    /// The factors of the system's own scores.
    ///
    /// How well a network ranks new items says little about how well it ranks repeats. And the more the counts say about
    /// an item, the less there is for the network to add: for the surest of them a slope may be negative.
    public struct Slopes: Sendable, Equatable {
        /// The factor for an item of the history.
        ///
        /// It is 1 for other items.
        public var repeated: Float = 1
        /// Added to the factor, times term 1.
        public var followed: Float = 0
        /// Added to the factor, times term 3.
        public var near: Float = 0

        /// Slopes of 1 for every item.
        public init() {}

        /// Other slopes.
        public init(repeated: Float, followed: Float, near: Float) {
            (self.repeated, self.followed, self.near) = (repeated, followed, near)
        }

        /// Whether all are numbers.
        public var isFinite: Bool { repeated.isFinite && followed.isFinite && near.isFinite }
    }

    /// The largest stored weight, slope or strength; with larger ones, scores could exceed a Float.
    static let largest: Float = 1e12

    /// How many of a history's newest items count as repeats.
    public static let historyLength = 1000
    /// How many of a history's newest items have neighbours that count, and the factor for each older one.
    static let (newest, decay): (Int, Float) = (20, 0.9)

    /// The items that directly followed each item.
    let followers: ItemLinks
    /// The items that occur near each item.
    let neighbours: ItemLinks
    /// The items that occur most.
    private(set) var popular: PopularItems
    /// The weights of the terms, in units of the system's own scores.
    public var weights: Terms
    /// The factors of the system's own scores.
    public var slopes: Slopes

    /// Counts a training part; the weights are 0 and every slope is 1.
    ///
    /// - Parameters:
    ///   - sequences: Item numbers, oldest first, all below `items`.
    ///   - items: Size of the catalogue.
    ///   - configuration: How many links of each item and how many popular items are kept.
    public init(counting sequences: RaggedRows, items: Int, _ configuration: CountConfiguration) {
        followers = ItemLinks(followersIn: sequences, items: items, keeping: configuration.followers)
        neighbours = ItemLinks(neighboursIn: sequences, items: items, keeping: configuration.neighbours)
        popular = PopularItems(in: sequences, items: items, keeping: configuration.popular)
        weights = .zero
        slopes = Slopes()
    }

    /// The size of the catalogue.
    public var items: Int { followers.items }

    /// The same counts without the term of popular items.
    public func withoutPopularItems() -> CountScores {
        var counts = self
        counts.popular = PopularItems()
        return counts
    }

    /// The same counts with the weights and slopes of others.
    public func weighted(like others: CountScores) -> CountScores {
        var counts = others.weights[Self.popularity] == 0 ? withoutPopularItems() : self
        (counts.weights, counts.slopes) = (others.weights, others.slopes)
        return counts
    }

    /// The same scores for a system whose scores are multiplied by a factor.
    public func scaled(by factor: Float) -> CountScores {
        var scaled = self
        scaled.weights *= factor
        return scaled
    }

    /// Adds the counts' scores to a system's scores of all items.
    ///
    /// - Parameters:
    ///   - scores: The scores, `[users, V]`.
    ///   - histories: Item numbers, oldest first, one row a user.
    public func add(to scores: inout Matrix, histories: RaggedRows) {
        precondition(
            scores.shape == [histories.count, items],
            "\(scores.shape) scores of \(histories.count) histories"
        )
        var linked = LinkedItems()
        for row in 0..<histories.count {
            linked.collect(histories[row], self)
            for (place, item) in linked.items.enumerated() {
                let terms = linked.terms(at: place)
                scores[row, Int(item)] = slope(terms) * scores[row, Int(item)] + score(terms)
            }
        }
    }

    /// The weighted sum of an item's terms.
    public func score(_ terms: Terms) -> Float { (terms * weights).sum() }

    /// The factor of the system's own score of an item with some terms.
    public func slope(_ terms: Terms) -> Float {
        (terms[Self.repeated] > 0 ? slopes.repeated : 1) + slopes.followed * terms[Self.followed]
            + slopes.near * terms[Self.near]
    }

    private static let prefix = "counts."
    private static let names = (
        followers: prefix + "followers", neighbours: prefix + "neighbours", popular: prefix + "popular",
        weights: prefix + "weights"
    )

    /// The matrices that a checkpoint stores, under names that no system uses.
    public var matrices: [String: Matrix] {
        let fitted = (0..<Self.termCount).map { weights[$0] } + [slopes.repeated, slopes.followed, slopes.near]
        let own = Matrix(rows: 1, columns: fitted.count, elements: fitted)
        return followers.matrices(named: Self.names.followers)
            .merging(neighbours.matrices(named: Self.names.neighbours)) { $1 }
            .merging(popular.matrices(named: Self.names.popular, items: items)) { $1 }
            .merging([Self.names.weights: own]) { $1 }
    }

    /// Takes stored counts out of a checkpoint's matrices, which then hold those of the system alone.
    ///
    /// - Parameters:
    ///   - matrices: The matrices.
    ///   - items: Size of the catalogue.
    /// - Returns: The counts; nil if none are stored.
    /// - Throws: `ParameterError` for a missing matrix, a wrong shape, or an element out of range.
    public static func take(from matrices: inout [String: Matrix], items: Int) throws(ParameterError) -> CountScores? {
        guard matrices.keys.contains(where: { $0.hasPrefix(prefix) }) else { return nil }
        return try CountScores(takingFrom: &matrices, items: items)
    }

    private init(takingFrom matrices: inout [String: Matrix], items: Int) throws(ParameterError) {
        followers = try ItemLinks(takingFrom: &matrices, named: Self.names.followers, items: items)
        neighbours = try ItemLinks(takingFrom: &matrices, named: Self.names.neighbours, items: items)
        guard let stored = matrices.removeValue(forKey: Self.names.weights) else { throw .missing(Self.names.weights) }
        // Older versions have seven terms, no popular items, and at most the slope of repeats.
        guard stored.rows == 1, [Self.termCount + 3, 8, 7].contains(stored.columns) else {
            throw .shape(Self.names.weights, expected: [1, Self.termCount + 3], found: stored.shape)
        }
        let isOlder = stored.columns <= 8
        popular =
            isOlder
            ? PopularItems()
            : try PopularItems(takingFrom: &matrices, named: Self.names.popular, items: items)
        (weights, slopes) = (.zero, Slopes())
        let terms = isOlder ? 7 : Self.termCount
        for (lane, value) in stored.elements.enumerated() {
            guard value.magnitude <= Self.largest else {
                let allowed = "at most \(Self.largest) in magnitude"
                throw .value(Self.names.weights, row: 0, column: lane, found: "\(value)", allowed: allowed)
            }
            switch lane - terms {
            case ..<0: weights[lane] = value
            case 0: slopes.repeated = value
            case 1: slopes.followed = value
            default: slopes.near = value
            }
        }
    }
}
