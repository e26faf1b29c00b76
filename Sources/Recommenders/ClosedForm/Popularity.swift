public import Autodiff
public import Kernels

/// Ranks items by how often they occur in the training part, for any history.
public struct Popularity: ScoringRecommender {
    /// `popularity`.
    public static let system = "popularity"
    /// A parameter of every closed-form system: each item's share of all events, scaled to stay below 1, `[V, 1]`.
    static let shares = "popularity"
    /// Settings.
    public let configuration: HistoryConfiguration
    /// The shares.
    public let parameters: ParameterSet

    /// Counts the events of each item.
    public init(_ configuration: HistoryConfiguration, fitting sequences: RaggedRows, items: Int) {
        self.configuration = configuration
        parameters = ParameterSet([Self.shares: Self.shares(sequences, items: items)])
    }

    /// A model over stored counts.
    public init(_ configuration: HistoryConfiguration, stored matrices: consuming [String: Matrix])
        throws(ParameterError)
    {
        self.configuration = configuration
        parameters = ParameterSet(matrices)
        _ = try Self.items(in: parameters)
    }

    package var popularityWeight: Float { 1 }
    package func add(
        _ history: ArraySlice<Int32>,
        to scores: inout [Float],
        from start: Int,
        _ scratch: inout ScoringScratch
    ) {}

    /// The shares of events, `[V, 1]`.
    static func shares(_ sequences: RaggedRows, items: Int) -> Matrix {
        var counts = [Double](repeating: 0, count: items)
        for item in sequences.ids { counts[Int(item)] += 1 }
        let whole = Double(sequences.ids.count + 1)
        return Matrix(rows: items, columns: 1, elements: counts.map { Float($0 / whole) })
    }
}

/// Ranks the items of the history by how often they occur there, then all others by popularity.
public struct SessionPopularity: ScoringRecommender {
    /// `session-popularity`.
    public static let system = "session-popularity"
    /// Settings.
    public let configuration: HistoryConfiguration
    /// The shares of events.
    public let parameters: ParameterSet

    /// Counts the events of each item.
    public init(_ configuration: HistoryConfiguration, fitting sequences: RaggedRows, items: Int) {
        self.configuration = configuration
        parameters = Popularity(configuration, fitting: sequences, items: items).parameters
    }

    /// A model over stored counts.
    public init(_ configuration: HistoryConfiguration, stored matrices: consuming [String: Matrix])
        throws(ParameterError)
    {
        self.configuration = configuration
        parameters = try Popularity(configuration, stored: matrices).parameters
    }

    package var popularityWeight: Float { 1 }
    package func add(
        _ history: ArraySlice<Int32>,
        to scores: inout [Float],
        from start: Int,
        _ scratch: inout ScoringScratch
    ) {
        for item in history { scores[start + Int(item)] += 1 }
    }
}

/// Ranks the newest item first, then the one before it and so on, then all others by popularity.
public struct RepeatLast: ScoringRecommender {
    /// `repeat-last`.
    public static let system = "repeat-last"
    /// Settings.
    public let configuration: HistoryConfiguration
    /// The shares of events.
    public let parameters: ParameterSet

    /// Counts the events of each item.
    public init(_ configuration: HistoryConfiguration, fitting sequences: RaggedRows, items: Int) {
        self.configuration = configuration
        parameters = Popularity(configuration, fitting: sequences, items: items).parameters
    }

    /// A model over stored counts.
    public init(_ configuration: HistoryConfiguration, stored matrices: consuming [String: Matrix])
        throws(ParameterError)
    {
        self.configuration = configuration
        parameters = try Popularity(configuration, stored: matrices).parameters
    }

    package var popularityWeight: Float { 1 }
    package func add(
        _ history: ArraySlice<Int32>,
        to scores: inout [Float],
        from start: Int,
        _ scratch: inout ScoringScratch
    ) {
        for (age, item) in history.reversed().enumerated() {
            scores[start + Int(item)] = max(scores[start + Int(item)], Float(1 + history.count - age))
        }
    }
}
