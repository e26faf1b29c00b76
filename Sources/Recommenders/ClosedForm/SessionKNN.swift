public import Autodiff
public import Kernels

/// Vector multiplication session nearest neighbours, VSKNN (Ludewig and Jannach, UMUAI 2018): items of similar
/// sessions.
///
/// The weight of a history's item is its place, counted from 1, divided by the history's length; the newest item has
/// weight 1. The similarity of a past session is the sum of the weights of the shared items. Each of the most similar
/// sessions adds its similarity times `max(0, 1 - 0.1 a)` to the scores of its items, where `a` is the age of the
/// newest shared item.
public struct SessionKNN: ScoringRecommender {
    /// Settings.
    public struct Configuration: ModelConfiguration {
        /// How many of a history's newest items are used.
        public var historyLength = 50
        /// How many of the most similar sessions add to scores.
        public var neighbours = 100
        /// How many sessions of an item are considered: the last ones of the training part.
        public var sampled = 1000

        /// The defaults.
        public init() {}

        /// Throws for a value out of range.
        public func validate(prefix: String) throws(ConfigurationError) {
            try ConfigurationError.require(1...1000, contains: historyLength, key: prefix + "historyLength")
            try ConfigurationError.require(1...10_000, contains: neighbours, key: prefix + "neighbours")
            try ConfigurationError.require(1...1_000_000, contains: sampled, key: prefix + "sampled")
        }
    }

    /// `vsknn`.
    public static let system = "vsknn"
    private static let items = "sessions.items"
    private static let lengths = "sessions.lengths"
    /// Settings.
    public let configuration: Configuration
    /// The training sessions, and the shares of events.
    public let parameters: ParameterSet
    private let sessions: Incidence

    /// Stores the sessions.
    public init(_ configuration: Configuration, fitting sequences: RaggedRows, items: Int) {
        let sessions = Incidence(sequences, items: items)
        let lengths = (0..<sessions.items.count).map { Int32(sessions.items[$0].count) }
        self.init(
            configuration,
            sessions,
            ParameterSet([
                Self.items: StoredIntegers(sessions.items.ids, columns: 1, below: items).matrix,
                Self.lengths: StoredIntegers(lengths, columns: 1, below: sessions.items.longest + 1).matrix,
                Popularity.shares: Popularity.shares(sequences, items: items),
            ])
        )
    }

    /// A model over stored sessions.
    public init(_ configuration: Configuration, stored matrices: consuming [String: Matrix]) throws(ParameterError) {
        let parameters = ParameterSet(matrices)
        func stored(_ name: String, below bound: Int) throws(ParameterError) -> StoredIntegers {
            guard let matrix = parameters.matrices[name] else { throw .missing(name) }
            return try StoredIntegers(stored: matrix, name: name, columns: 1, in: 0..<bound)
        }
        let count = try Self.items(in: parameters)
        let ids = try stored(Self.items, below: count)
        let lengths = try stored(Self.lengths, below: ids.count + 1)
        var sequences = RaggedRows()
        var start = 0
        for session in 0..<lengths.count {
            let end = start + lengths[session]
            guard end <= ids.count else { break }
            sequences.append((start..<end).map { Int32(ids[$0]) })
            start = end
        }
        guard sequences.count == lengths.count, start == ids.count else {
            let whole = (0..<lengths.count).reduce(0) { $0 + lengths[$1] }
            throw .shape(Self.items, expected: [whole, 1], found: [ids.count, 1])
        }
        self.init(configuration, Incidence(sequences, items: count), parameters)
    }

    private init(_ configuration: Configuration, _ sessions: Incidence, _ parameters: ParameterSet) {
        (self.configuration, self.sessions, self.parameters) = (configuration, sessions, parameters)
    }

    package func add(
        _ history: ArraySlice<Int32>,
        to scores: inout [Float],
        from start: Int,
        _ scratch: inout ScoringScratch
    ) {
        findAlike(history, &scratch)
        for place in scratch.ranked.indices {
            let session = scratch.ranked[place]
            let age = scratch.sessions[Int(session.id)].age
            let factor = session.score * max(0, 1 - 0.1 * Float(age))
            for item in sessions.items[Int(session.id)] { scores[start + Int(item)] += factor }
        }
        for session in scratch.alike { scratch.sessions[Int(session)].likeness = 0 }
    }

    /// Leaves the most similar sessions in `scratch.ranked`, ties by the older session.
    private func findAlike(_ history: ArraySlice<Int32>, _ scratch: inout ScoringScratch) {
        if scratch.sessions.count != sessions.items.count {
            scratch.sessions = [ScoringScratch.Session](repeating: .init(), count: sessions.items.count)
        }
        scratch.collectDistinct([], items: sessions.having.count)
        scratch.alike.removeAll(keepingCapacity: true)
        for (age, item) in history.reversed().enumerated() where scratch.insert(item) {
            let weight = Float(history.count - age) / Float(history.count)
            for session in sessions.having[Int(item)].suffix(configuration.sampled) {
                if scratch.sessions[Int(session)].likeness == 0 {
                    scratch.alike.append(session)
                    scratch.sessions[Int(session)].age = Int32(age)
                }
                scratch.sessions[Int(session)].likeness += weight
            }
        }
        scratch.clearDistinct()
        scratch.best.reset(k: configuration.neighbours)
        for session in scratch.alike {
            scratch.best.offer(Scored(id: session, score: scratch.sessions[Int(session)].likeness))
        }
        scratch.best.drainSorted(into: &scratch.ranked)
    }
}
