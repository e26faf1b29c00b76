public import Kernels

/// How events are split into a training, a validation and a test part.
public enum SplitKind: String, Codable, Sendable, CaseIterable {
    /// Whole users 8:1:1 by a seeded hash of their id: a user's part never changes as the data grows.
    case users
    /// Whole users 8:1:1 by the time of their last event, the latest for testing.
    case time
    /// Each user's last item is for testing, the one before for validation, the rest for training.
    case leaveOneOut = "leave-one-out"
}

/// A part of the data.
public enum SplitPart: String, Codable, Sendable, CaseIterable {
    /// The part that a model learns from.
    case train
    /// The part that decides when training stops and which weights and settings are kept.
    case validation
    /// The part that a finished model is evaluated on.
    case test
}

/// Sequences of one part, and which of their items are targets.
public struct DataPart: Sendable, Equatable {
    /// Which items of a sequence are targets; the items before a target are its history.
    public enum Targets: Sendable {
        /// Every item but the first.
        case any
        /// Only the last item: the earlier ones belong to other parts.
        case last
    }

    /// The user of each sequence.
    public let userIDs: [String]
    /// One sequence of item numbers a user, oldest first.
    public let sequences: RaggedRows
    /// Which items are targets.
    public let targets: Targets
    /// The weight of each item of the sequences as a target, 0 for an item that is none; empty when each counts 1.
    public let weights: [Float]
    /// How many items of each sequence an earlier version has learnt from, so that they do not judge a version that
    /// continues it; empty when all items may judge.
    let learntItems: [Int32]

    /// A part from the sequences of some users.
    ///
    /// - Precondition: There is one user id a sequence, and one weight an item or none at all.
    public init(userIDs: [String], sequences: RaggedRows, targets: Targets = .any, weights: [Float] = []) {
        self.init(userIDs: userIDs, sequences: sequences, targets: targets, weights: weights, learntItems: [])
    }

    private init(
        userIDs: [String],
        sequences: RaggedRows,
        targets: Targets,
        weights: [Float],
        learntItems: [Int32]
    ) {
        precondition(userIDs.count == sequences.count, "\(userIDs.count) users for \(sequences.count) sequences")
        precondition(
            weights.isEmpty || weights.count == sequences.ids.count,
            "\(weights.count) weights for \(sequences.ids.count) items"
        )
        self.userIDs = userIDs
        self.sequences = sequences
        self.targets = targets
        self.weights = weights
        self.learntItems = learntItems
    }

    /// All sequences of a file; empty without a file.
    public init(_ dataset: InteractionDataset?) {
        self.init(
            userIDs: dataset?.userIDs ?? [],
            sequences: dataset?.sequences ?? RaggedRows(),
            weights: dataset?.weights ?? []
        )
    }

    /// The sequences of some users, each without its last items.
    ///
    /// - Parameters:
    ///   - dataset: The events.
    ///   - users: The users' numbers.
    ///   - targets: Which items are targets.
    ///   - isJudgedAnew: Whether only items that no earlier version has learnt from are targets of an evaluation.
    ///   - dropped: How many items to leave out at the end, by the length of a sequence.
    init(
        _ dataset: InteractionDataset,
        users: some Sequence<Int>,
        targets: Targets = .any,
        judgedAnew isJudgedAnew: Bool = false,
        droppingLast dropped: (_ length: Int) -> Int = { _ in 0 }
    ) {
        var (userIDs, sequences, weights): ([String], RaggedRows, [Float]) = ([], RaggedRows(), [])
        var learntItems: [Int32] = []
        for user in users {
            let sequence = dataset.sequences[user]
            let kept = sequence.dropLast(dropped(sequence.count))
            userIDs.append(dataset.userIDs[user])
            sequences.append(kept)
            if !dataset.weights.isEmpty { weights += dataset.weights[kept.indices] }
            if isJudgedAnew, let learnt = dataset.learnt { learntItems.append(learnt.events[user]) }
        }
        self.init(
            userIDs: userIDs,
            sequences: sequences,
            targets: targets,
            weights: weights,
            learntItems: learntItems
        )
    }

    /// Whether some item judges.
    var hasRows: Bool { (0..<sequences.count).contains { !judgingItems(of: $0).isEmpty } }

    /// The places in a sequence, from its start, of the items that judge: they have an item before them and a weight, and
    /// no earlier version has learnt from them.
    func judgingItems(of user: Int) -> [Int] {
        let places = sequences.offsets[user]..<sequences.offsets[user + 1]
        let first = max(1, targets == .last ? places.count - 1 : 1, learntItems.isEmpty ? 1 : Int(learntItems[user]))
        return (min(first, places.count)..<places.count).filter { place in
            weights.isEmpty || weights[places.lowerBound + place] > 0
        }
    }
}

/// The three parts of the data behind a model.
public struct DataSplit: Sendable, Equatable {
    /// The part that a model learns from.
    public let train: DataPart
    /// The part that decides when training stops and which weights and settings are kept.
    public let validation: DataPart
    /// The part that a finished model is evaluated on.
    public let test: DataPart

    /// A split whose parts were given as separate files.
    public init(train: InteractionDataset, validation: InteractionDataset, test: InteractionDataset?) {
        self.init(train: DataPart(train), validation: DataPart(validation), test: DataPart(test))
    }

    /// A split with given parts.
    package init(train: DataPart, validation: DataPart, test: DataPart) {
        self.train = train
        self.validation = validation
        self.test = test
    }

    /// Splits one file.
    ///
    /// - Parameters:
    ///   - dataset: The events.
    ///   - kind: How to split; only ``SplitKind/users`` depends on the seed.
    ///   - seed: Seed of the split.
    ///   - holdsOutTest: Whether there is a test part. Otherwise its users or items are for validation, and those of the
    ///     validation part for training.
    /// - Complexity: O(n) in events, and O(u log u) in users for ``SplitKind/time``.
    public init(_ dataset: InteractionDataset, by kind: SplitKind, seed: UInt64, holdsOutTest: Bool = true) {
        if let parts = Self.parts(of: dataset, by: kind, seed: seed) {
            self.init(dataset, parts, holdsOutTest)
        } else {
            self.init(leavingOut: holdsOutTest ? 2 : 1, of: dataset)
        }
    }

    /// The part of each user; nil for a split that divides every user's events.
    static func parts(of dataset: InteractionDataset, by kind: SplitKind, seed: UInt64) -> [SplitPart]? {
        switch kind {
        case .users: hashedParts(of: dataset.userIDs, seed: seed)
        case .time: timedParts(of: dataset)
        case .leaveOneOut: nil
        }
    }

    /// One part by name.
    public subscript(part: SplitPart) -> DataPart {
        switch part {
        case .train: train
        case .validation: validation
        case .test: test
        }
    }

    /// All events of the training and the validation part; the sequences of the validation part come last.
    ///
    /// A sequence of the training part that a user's sequence of the validation part continues, as with
    /// ``SplitKind/leaveOneOut`` or in a fold by time, is left out, because the longer one has its events.
    ///
    /// - Complexity: O(n) in events.
    package var sequencesBeforeTest: RaggedRows {
        let later = Dictionary(zip(validation.userIDs, 0...)) { $1 }
        var sequences = RaggedRows()
        for (row, user) in train.userIDs.enumerated() {
            let own = train.sequences[row]
            if let place = later[user], validation.sequences[place].starts(with: own) { continue }
            sequences.append(own)
        }
        for row in 0..<validation.sequences.count { sequences.append(validation.sequences[row]) }
        return sequences
    }

    private init(_ dataset: InteractionDataset, _ parts: [SplitPart], _ holdsOutTest: Bool) {
        func part(_ names: SplitPart?..., judgedAnew: Bool = true) -> DataPart {
            DataPart(dataset, users: parts.indices.lazy.filter { names.contains(parts[$0]) }, judgedAnew: judgedAnew)
        }
        train = part(.train, holdsOutTest ? nil : .validation, judgedAnew: false)
        validation = part(holdsOutTest ? .validation : .test)
        test = part(holdsOutTest ? .test : nil)
    }

    /// Holds out the last `count` items of each user of three or more, one for each part.
    private init(leavingOut count: Int, of dataset: InteractionDataset) {
        let users = dataset.userIDs.indices
        let divided = users.filter { dataset.sequences[$0].count >= 3 }
        func part(droppingLast count: Int) -> DataPart {
            DataPart(dataset, users: divided, targets: .last, judgedAnew: true) { _ in count }
        }
        train = DataPart(dataset, users: users) { $0 >= 3 ? count : 0 }
        validation = part(droppingLast: count - 1)
        test = count == 2 ? part(droppingLast: 0) : DataPart(userIDs: [], sequences: RaggedRows(), targets: .last)
    }

    /// Splits the hash's range into ten equal slices: eight for training, one for validation, one for testing.
    private static func hashedParts(of userIDs: [String], seed: UInt64) -> [SplitPart] {
        let generator = CounterBasedGenerator(seed: seed, purpose: .split)
        return userIDs.map { id in
            switch generator.integers(below: 10, stream: stableHash(id.utf8), count: 1)[0] {
            case 8: .validation
            case 9: .test
            default: .train
            }
        }
    }

    /// The parts of users by the time of their last event.
    ///
    /// For a version that continues another, the users with events that the other does not know are divided, and all
    /// others are for training: only new events can judge it, and users who stayed away have none. Of few such users, up
    /// to a quarter is for each of the held-out parts.
    private static func timedParts(of dataset: InteractionDataset) -> [SplitPart] {
        guard let learnt = dataset.learnt else { return timedParts(of: dataset.lastTimestamps) }
        let divided = dataset.userIDs.indices.filter { user in
            max(1, Int(learnt.events[user])) < dataset.sequences[user].count
        }
        var parts = [SplitPart](repeating: .train, count: dataset.userCount)
        let held = max(divided.count / 10, min(DataPart.fewUsers * 2, divided.count / 4))
        let own = timedParts(of: divided.map { dataset.lastTimestamps[$0] }, holdingOut: held)
        for (user, part) in zip(divided, own) { parts[user] = part }
        return parts
    }

    /// The first 80 % of the users are for training, the next 10 % for validation, the rest for testing.
    ///
    /// - Parameters:
    ///   - lastTimestamps: The time of each user's last event.
    ///   - held: How many users are in each of the other two parts than that for training; nil for 10 %.
    /// - Returns: The part of each user.
    static func timedParts(of lastTimestamps: [Timestamp], holdingOut held: Int? = nil) -> [SplitPart] {
        let count = lastTimestamps.count
        let order = lastTimestamps.indices.sorted { (lastTimestamps[$0], $0) < (lastTimestamps[$1], $1) }
        var parts = [SplitPart](repeating: .test, count: count)
        for user in order[..<(held.map { count - $0 } ?? count * 9 / 10)] { parts[user] = .validation }
        for user in order[..<(held.map { count - 2 * $0 } ?? count * 8 / 10)] { parts[user] = .train }
        return parts
    }
}
