import CKernels

/// The purpose of a random number: numbers of different purposes never share a counter.
public enum RandomPurpose: UInt32, Sendable {
    /// Initial weights.
    case parameters = 1
    /// The order of training rows.
    case shuffle
    /// Negative items of a batch.
    case negatives
    /// The diffusion step of each training row.
    case diffusionStep
    /// Forward noise of training rows.
    case forwardNoise
    /// Angles of the geodesic walk.
    case walkAngle
    /// The start and the added noise of a reverse chain.
    case reverseNoise
    /// Dropout masks.
    case dropout
    /// The assignment of users to the parts of a split.
    case split
    /// Initial partitions, samples and rotations of an index.
    case clustering
    /// Synthetic data for benchmarks, simulations and tests.
    case simulation
    /// A denoiser's own samples during training, and the rows that get them.
    case ownSample
    /// Where a user's training windows are cut in an epoch.
    case cuts
    /// Splits and random vectors of linear probes.
    case probing
    /// The training rows that a denoiser sees without their condition.
    case nullCondition
    /// The share of a noised vector that is added to each element of a history.
    case mixing
    /// Initial logits of routing when all interests vote alike.
    case routing
    /// Swaps of neighbours that a re-ranker learns to undo.
    case edits
    /// The items of a training sequence that a Cloze task masks.
    case cloze
    /// The items of a history that are hidden from a training row.
    case historyDropout
    /// The items that stand for all others when the weights of counts are fitted.
    case countFitting
    /// The items among which a slot of rule-based guidance is chosen for exploration.
    case exploration
}

/// Random numbers that are a pure function of seed, purpose, stream and position: Philox4x32-10.
///
/// The generator has no state: a number has the same value in any order and on any thread. Give every row, user or
/// request its own stream. Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
public struct CounterBasedGenerator: Sendable {
    /// Selects the family of streams.
    public let seed: UInt64
    /// The purpose of the numbers.
    public let purpose: RandomPurpose

    /// The generator of one seed and purpose.
    public init(seed: UInt64, purpose: RandomPurpose) {
        self.seed = seed
        self.purpose = purpose
    }

    /// The first `count` words of 32 random bits of a stream.
    public func words(stream: UInt64, count: Int) -> [UInt32] {
        let blocks = (count + 3) / 4
        var words = [UInt32](repeating: 0, count: blocks * 4)
        unsafe ck_philox(seed, purpose.rawValue, stream, 0, blocks, &words)
        words.removeLast(blocks * 4 - count)
        return words
    }

    /// The first `count` integers of a stream, in `0..<bound`.
    ///
    /// Uses multiply-shift: the relative error of each value's probability is below `bound / 2^32`.
    public func integers(below bound: Int, stream: UInt64, count: Int) -> [Int32] {
        precondition(bound > 0 && bound <= Int(Int32.max), "bound \(bound) is outside 1...\(Int32.max)")
        return words(stream: stream, count: count).map { Int32((UInt64($0) * UInt64(bound)) >> 32) }
    }

    /// The first `count` numbers of a stream, in [0, 1), with 32 random bits each.
    public func uniforms(stream: UInt64, count: Int) -> [Double] {
        words(stream: stream, count: count).map { (Double($0) + 0.5) * 0x1p-32 }
    }

    /// The first `count` standard normals of a stream: Box-Muller on 24-bit uniforms, at most 5.77 in magnitude.
    public func normals(stream: UInt64, count: Int) -> [Float] {
        unsafe [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
            if let base = buffer.baseAddress { unsafe ck_normals(seed, purpose.rawValue, stream, base, count) }
            initialized = count
        }
    }

    /// The standard normals of a stream at some places: `normals(stream:count:)` without those before the range.
    public func normals(stream: UInt64, range: Range<Int>) -> [Float] {
        precondition(range.lowerBound >= 0, "normals at the places \(range)")
        return unsafe [Float](unsafeUninitializedCapacity: range.count) { buffer, initialized in
            if let base = buffer.baseAddress {
                let first = UInt64(range.lowerBound)
                unsafe ck_normals_from(seed, purpose.rawValue, stream, first, base, range.count)
            }
            initialized = range.count
        }
    }

    /// One row of `columns` standard normals for each stream; row `i` equals `normals(stream: streams[i], ...)`.
    public func normalRows(streams: [UInt64], columns: Int) -> Matrix {
        Matrix(rows: streams.count, columns: columns) {
            unsafe ck_normal_rows(seed, purpose.rawValue, streams, streams.count, columns, $0)
        }
    }

    /// Writes the first `range.count` standard normals of a stream to `range` of a reused array.
    public func normals(stream: UInt64, into out: inout [Float], at range: Range<Int>) {
        precondition(out.indices.contains(range), "normals into places \(range) of \(out.count)")
        unsafe out.withUnsafeMutableBufferPointer { out in
            guard let out = out.baseAddress else { return }
            unsafe ck_normals(seed, purpose.rawValue, stream, out + range.lowerBound, range.count)
        }
    }

    /// The four words of the counter `(index, stream low, stream high, domain)` under a key whose low half comes first.
    package static func block(_ index: UInt32, stream: UInt64, domain: UInt32, key: UInt64) -> [UInt32] {
        var words: [UInt32] = [0, 0, 0, 0]
        unsafe ck_philox(key, domain, stream, index, 1, &words)
        return words
    }
}

/// A `RandomNumberGenerator` that walks one stream, for the standard library's `shuffle` and `random`.
public struct SequentialGenerator: RandomNumberGenerator, Sendable {
    private let source: CounterBasedGenerator
    private let stream: UInt64
    private var block: UInt32 = 0

    /// Starts at the beginning of a stream.
    public init(_ source: CounterBasedGenerator, stream: UInt64 = 0) {
        self.source = source
        self.stream = stream
    }

    /// The next 64 random bits.
    public mutating func next() -> UInt64 {
        let domain = source.purpose.rawValue
        let words = CounterBasedGenerator.block(block, stream: stream, domain: domain, key: source.seed)
        block += 1
        return UInt64(words[0]) << 32 | UInt64(words[1])
    }
}
