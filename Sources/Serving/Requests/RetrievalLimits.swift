import CheckpointStore

/// The bounds that requests must keep.
public struct RetrievalLimits: Sendable, Equatable {
    /// The most items one request may ask for.
    public var maxK: Int
    /// How many of the newest ids of a history count.
    public var maxHistory: Int
    /// The most requests that one batch may hold.
    public var maxBatch: Int
    /// The most starting noises that one request may ask for.
    public var maxSamples: Int

    /// Groups the bounds.
    public init(maxK: Int = 1000, maxHistory: Int = 1000, maxBatch: Int = 64, maxSamples: Int = 16) {
        self.maxK = maxK
        self.maxHistory = maxHistory
        self.maxBatch = maxBatch
        self.maxSamples = maxSamples
    }

    /// How many items a request may ask for.
    package var k: ClosedRange<Int> { 1...maxK }
    /// How many items may come before an answer.
    package var offset: ClosedRange<Int> { 0...maxK - 1 }
    /// How many starting noises a request may ask for.
    package var samples: ClosedRange<Int> { 1...maxSamples }
    /// How many reverse steps a request may ask for; the model that answers may take fewer.
    package static let steps = 1...Int.max
    /// How much effort of the index a request may ask for.
    package static let effort = 1...Int.max
    /// The allowed values of a diversity.
    package static let diversity = 0.0...1.0
    /// The allowed values of a category penalty.
    package static let categoryPenalty = 0.0...1_000_000.0
}

extension RetrievalRequest {
    /// Checks every number that does not depend on the model that answers.
    ///
    /// Nothing may compute with a request's numbers before this has passed.
    ///
    /// - Parameter limits: The bounds.
    /// - Throws: ``RetrievalError/invalidArgument(field:message:)`` for the first field outside its bounds.
    package func validate(within limits: RetrievalLimits) throws(RetrievalError) {
        func require(_ field: String, _ number: Int, in range: ClosedRange<Int>) throws(RetrievalError) {
            guard range.contains(number) else {
                throw .invalidArgument(field: field, message: range.requirement(got: number))
            }
        }
        func require(_ field: String, _ number: Double, in range: ClosedRange<Double>) throws(RetrievalError) {
            guard range.contains(number) else {
                throw .invalidArgument(field: field, message: range.requirement(got: number))
            }
        }
        try require("k", k, in: limits.k)
        try require("samples", samples, in: limits.samples)
        if let steps { try require("steps", steps, in: RetrievalLimits.steps) }
        if let effort { try require("ef", effort, in: RetrievalLimits.effort) }
        try require("diversity", diversity, in: RetrievalLimits.diversity)
        try require("category_penalty", categoryPenalty, in: RetrievalLimits.categoryPenalty)
        try rules.validate(k: k, isReranked: isReranked, within: limits)
        guard diversity == 0 || categoryPenalty == 0 else {
            let message = "cannot be combined with a diversity; give one of the two."
            throw .invalidArgument(field: "category_penalty", message: message)
        }
        if let sources {
            guard model == nil else {
                throw .invalidArgument(field: "model", message: "cannot be combined with sources; leave it out.")
            }
            if let fault = sources.fault(most: limits.maxK) {
                throw .invalidArgument(field: fault.field, message: fault.message)
            }
        }
    }
}

extension ClosedRange where Bound: FixedWidthInteger {
    /// The message for a value outside the range; the field's name precedes it.
    package func requirement(got value: some CustomStringConvertible) -> String {
        let bounds = upperBound == .max ? "of at least \(lowerBound)" : "from \(lowerBound) to \(upperBound)"
        return "must be a whole number \(bounds); got \(value)."
    }
}

extension ClosedRange<Double> {
    /// The message for a value outside the range; the field's name precedes it.
    package func requirement(got value: some CustomStringConvertible) -> String {
        func text(_ bound: Double) -> String { Int(exactly: bound).map(String.init) ?? "\(bound)" }
        return "must be a number from \(text(lowerBound)) to \(text(upperBound)); got \(value)."
    }
}
