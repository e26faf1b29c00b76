public import Kernels

/// The windows that a model learns from: a run of consecutive targets of one user's sequence, with their histories.
///
/// Every item but a sequence's first is a target once an epoch. A window has one target, or as many as `longest`
/// targets that follow each other. In a long window each history is a prefix of the next, so a causal network reads the
/// window once for all of its targets. Only two numbers a user are stored.
///
/// Where not every event is a target, windows of one target leave the other events out. Longer windows keep them with
/// the weight 0, because the network computes them anyway.
public struct TrainingWindows: Sendable {
    /// One window: `sequences[user][target]` for each place in `targets` follows the items `first..<target`.
    public struct Window: Sendable, Equatable {
        /// The row of the sequences.
        public var user: Int
        /// The place of the window's oldest history item.
        public var first: Int
        /// The places of the targets; none of them is 0.
        public var targets: Range<Int>
        /// The number of the first target among the targets of all epochs: the random stream of the window.
        public var stream: UInt64
    }

    /// The training sequences, oldest item first.
    public let sequences: RaggedRows
    /// The weight of each item as a target, divided by the mean over the targets; empty when each counts 1.
    private let weights: [Float]
    /// The place of each target in its sequence, where windows have one target each and not every event is one.
    private let places: [Int32]?
    /// Most items of a history.
    private let historyLength: Int
    /// Most targets of a window.
    private let longest: Int
    /// For each user the number of targets before the user's own; the last entry is the number of all targets.
    private let firstTargets: [Int]
    /// The same for windows.
    private let firstWindows: [Int]

    /// The windows of some sequences, such as a split's training part.
    ///
    /// - Parameters:
    ///   - sequences: Items by user; none is unknown (negative).
    ///   - weights: The weight of each item of the sequences as a target; empty when each counts 1.
    ///   - historyLength: Most items of a history.
    ///   - wholeWindows: True for windows of up to `historyLength` targets, false for windows of one.
    public init(_ sequences: RaggedRows, weights: [Float] = [], historyLength: Int, wholeWindows: Bool) {
        precondition(
            weights.isEmpty || weights.count == sequences.ids.count,
            "\(weights.count) weights for \(sequences.ids.count) items"
        )
        precondition(sequences.ids.allSatisfy { $0 >= 0 }, "training sequences hold unknown items")
        precondition(historyLength >= 1, "histories of at most \(historyLength) items")
        self.sequences = sequences
        self.historyLength = historyLength
        longest = wholeWindows ? historyLength : 1
        var (firstTargets, firstWindows) = ([0], [0])
        var places: [Int32]? = wholeWindows || weights.isEmpty ? nil : []
        var sum = 0.0
        firstTargets.reserveCapacity(sequences.count + 1)
        firstWindows.reserveCapacity(sequences.count + 1)
        for user in 0..<sequences.count {
            var targets = max(0, sequences.offsets[user + 1] - sequences.offsets[user] - 1)
            if !weights.isEmpty, targets > 0 {
                let own = weights[sequences.offsets[user] + 1..<sequences.offsets[user + 1]]
                sum += own.reduce(0) { $0 + Double($1) }
                if places != nil {
                    let kept = own.indices.filter { own[$0] > 0 }.map { Int32($0 - sequences.offsets[user]) }
                    places?.append(contentsOf: kept)
                    targets = kept.count
                }
            }
            firstTargets.append(firstTargets[user] + targets)
            firstWindows.append(firstWindows[user] + Self.windows(of: targets, longest: longest))
        }
        self.firstTargets = firstTargets
        self.firstWindows = firstWindows
        self.places = places
        let mean = sum > 0 ? sum / Double(firstTargets[firstTargets.count - 1]) : 1
        self.weights = weights.map { Float(Double($0) / mean) }
    }

    /// The factor on the loss of a target, 1 on average over an epoch; nil when every target counts alike.
    package func weight(of place: Int, user: Int) -> Float? {
        weights.isEmpty ? nil : weights[sequences.offsets[user] + place]
    }

    /// Whether some target counts more than another.
    package var hasUnequalWeights: Bool {
        guard !weights.isEmpty else { return false }
        return (0..<sequences.count).contains { user in
            let own = weights[sequences.offsets[user]..<sequences.offsets[user + 1]].dropFirst()
            return own.contains { $0 != 1 && (places == nil || $0 > 0) }
        }
    }

    /// Targets of one epoch.
    public var targets: Int { firstTargets[firstTargets.count - 1] }

    /// Windows of one epoch, those included that an epoch's phase leaves empty.
    public var count: Int { firstWindows[firstWindows.count - 1] }

    /// The windows of a step that has about `targets` targets: at least one.
    public func windowsPerStep(targets: Int) -> Int {
        longest == 1
            ? targets : max(1, Int((Double(targets) * Double(count) / Double(max(1, self.targets))).rounded()))
    }

    /// The windows of one training step, a pure function of step, size and seed.
    ///
    /// Each epoch is a random order of all windows. A step that reaches the end of an epoch continues with the next, so
    /// training can resume from a step number alone. A user with more than `longest` targets is cut at other places in
    /// every epoch.
    ///
    /// - Parameters:
    ///   - step: The training step.
    ///   - size: Windows of every step.
    ///   - seed: Seed of the order.
    /// - Returns: At most `size` windows, because empty ones are left out.
    /// - Precondition: There is at least one target.
    public func step(_ step: Int, size: Int, seed: UInt64) -> [Window] {
        precondition(targets > 0, "no sequence has two items, so there is nothing to learn from")
        precondition(step >= 0 && size >= 0, "step \(step) of \(size) windows")
        var windows: [Window] = []
        windows.reserveCapacity(size)
        var place = step * size
        let end = place + size
        while place < end {
            let epoch = place / count
            let order = RandomPermutation(count: count, seed: seed, epoch: epoch)
            let stop = min(end, (epoch + 1) * count)
            while place < stop {
                let window = window(order[place - epoch * count], epoch: epoch, seed: seed)
                if !window.targets.isEmpty { windows.append(window) }
                place += 1
            }
        }
        return windows
    }

    /// One window of an epoch.
    ///
    /// - Complexity: O(log users).
    func window(_ number: Int, epoch: Int, seed: UInt64) -> Window {
        precondition(number >= 0 && number < count, "window \(number) is outside 0..<\(count)")
        var (low, high) = (0, sequences.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if firstWindows[middle] <= number { low = middle } else { high = middle }
        }
        let (user, own) = (low, firstTargets[low + 1] - firstTargets[low])
        if let places {
            let place = Int(places[number])
            return Window(
                user: user,
                first: max(0, place - historyLength),
                targets: place..<place + 1,
                stream: UInt64(epoch * self.targets + number)
            )
        }
        let start = (number - firstWindows[user]) * longest - phase(of: user, targets: own, epoch: epoch, seed: seed)
        let targets = max(0, start) + 1..<max(max(0, start), min(start + longest, own)) + 1
        return Window(
            user: user,
            first: max(0, targets.upperBound - 1 - historyLength),
            targets: targets,
            stream: UInt64(epoch * self.targets + firstTargets[user] + targets.lowerBound - 1)
        )
    }

    /// By how many targets a user's first window is shorter in an epoch; 0 for users with one window.
    private func phase(of user: Int, targets: Int, epoch: Int, seed: UInt64) -> Int {
        guard longest > 1, targets > longest else { return 0 }
        let generator = CounterBasedGenerator(seed: seed, purpose: .cuts)
        let stream = UInt64(epoch) << 32 | UInt64(user)
        return Int(generator.integers(below: longest, stream: stream, count: 1)[0])
    }

    /// A user with more targets than a window has one window more than needed, so that every phase fits.
    private static func windows(of targets: Int, longest: Int) -> Int {
        guard longest > 1, targets > longest else { return (targets + longest - 1) / longest }
        return (targets + longest - 1) / longest + 1
    }
}
