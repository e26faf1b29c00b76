package import Serving

/// Reads the body of `POST /retrieve`.
///
/// A body that is not JSON is `invalid_json`. A JSON body that breaks the contract is `invalid_argument` with a
/// pointer.
package struct RetrievalRequestReader {
    private enum Field: Int {
        case history
        case exclude
        case excludeHistory
        case filter
        case model
        case user
        case k
        case seed
        case steps
        case samples
        case diversity
        case categoryPenalty
        case exact
        case ef
        case explain
        case boosts
        case pins
        case groupBy
        case scoreThreshold
        case offset
        case minNew
        case calibrate
        case sources
        case fusion
        case guidance
    }

    private let limits: RetrievalLimits
    private var key: [UInt8] = []
    private var filters = FilterReader()
    private var rules = RulesReader()
    private var sources = SourcesReader()

    /// Creates a reusable reader.
    ///
    /// - Parameter limits: The bounds of each request.
    package init(limits: RetrievalLimits = RetrievalLimits()) {
        self.limits = limits
    }

    /// Reads a body.
    ///
    /// - Parameters:
    ///   - body: The bytes.
    ///   - request: Reset and filled.
    /// - Throws: A ``Problem`` of code `invalid_json` or `invalid_argument`.
    package mutating func read(_ body: [UInt8], into request: inout RetrievalRequest) throws(Problem) {
        do {
            var reader = JSONReader(body)
            try read(&reader, into: &request)
            try reader.end()
        } catch {
            throw Problem(error, in: body)
        }
    }

    /// Reads the next value, which must be a request.
    ///
    /// - Throws: ``JSONSyntaxError``, or ``ContractViolation`` with a pointer from that value.
    mutating func read(_ reader: inout JSONReader, into request: inout RetrievalRequest) throws {
        var seen: UInt32 = 0
        var isFirst = true
        request.reset()
        sources.removeAll()
        try reader.expect(.object, at: "")
        reader.enter()
        while true {
            key.removeAll(keepingCapacity: true)
            guard try reader.nextKey(isFirst: &isFirst, into: &key) else { break }
            guard let field = field(key) else {
                throw ContractViolation(pointer: pointerStep(key), message: "is not a field of a request.")
            }
            let bit: UInt32 = 1 << UInt32(field.rawValue)
            guard seen & bit == 0 else {
                throw ContractViolation(pointer: pointerStep(key), message: "is given twice.")
            }
            seen |= bit
            try read(field, &reader, into: &request)
        }
        guard seen & 1 << UInt32(Field.history.rawValue) != 0 else {
            throw ContractViolation(pointer: "/history", message: "is missing; give a list of ids, which may be empty.")
        }
        request.sources = try sources.result()
        do {
            try request.validate(within: limits)
        } catch RetrievalError.invalidArgument(let field, let message) {
            throw ContractViolation(pointer: "/\(field)", message: message)
        }
    }

    /// The field of a key.
    ///
    /// A String of at most 15 bytes needs no allocation; all names but the longest fit.
    private func field(_ key: [UInt8]) -> Field? {
        guard key.count <= 16 else { return nil }
        switch String(decoding: key, as: UTF8.self) {
        case "history": return .history
        case "k": return .k
        case "exclude": return .exclude
        case "exclude_history": return .excludeHistory
        case "filter": return .filter
        case "model": return .model
        case "user": return .user
        case "seed": return .seed
        case "steps": return .steps
        case "samples": return .samples
        case "diversity": return .diversity
        case "category_penalty": return .categoryPenalty
        case "exact": return .exact
        case "ef": return .ef
        case "explain": return .explain
        case "boosts": return .boosts
        case "pins": return .pins
        case "group_by": return .groupBy
        case "score_threshold": return .scoreThreshold
        case "offset": return .offset
        case "min_new": return .minNew
        case "calibrate": return .calibrate
        case "sources": return .sources
        case "fusion": return .fusion
        case "guidance": return .guidance
        default: return nil
        }
    }

    private mutating func read(
        _ field: Field,
        _ reader: inout JSONReader,
        into request: inout RetrievalRequest
    ) throws {
        switch field {
        case .history:
            request.answersIntegers =
                try reader.history(at: "/history", into: &request.history, context: &request.context)
        case .exclude: _ = try reader.identifiers(at: "/exclude", into: &request.exclude)
        case .excludeHistory: request.excludeHistory = try reader.boolean(at: "/exclude_history")
        case .exact: request.exact = try reader.boolean(at: "/exact")
        case .explain: request.explain = try reader.boolean(at: "/explain")
        case .k: request.k = try reader.integer(at: "/k", in: limits.k)
        case .samples: request.samples = try reader.integer(at: "/samples", in: limits.samples)
        case .diversity: request.diversity = try reader.double(at: "/diversity", in: RetrievalLimits.diversity)
        case .categoryPenalty:
            request.categoryPenalty = try reader.double(at: "/category_penalty", in: RetrievalLimits.categoryPenalty)
        case .seed: request.seed = try reader.isNull() ? nil : reader.integer(at: "/seed")
        case .steps: request.steps = try reader.isNull() ? nil : reader.integer(at: "/steps", in: RetrievalLimits.steps)
        case .ef: request.effort = try reader.isNull() ? nil : reader.integer(at: "/ef", in: RetrievalLimits.effort)
        case .model: request.model = try reader.isNull() ? nil : reader.text(at: "/model")
        case .user: request.user = try reader.isNull() ? nil : reader.identifier(at: "/user")
        case .sources: try sources.readSources(&reader)
        case .fusion: try sources.readFusion(&reader)
        case .filter:
            try filters.read(&reader, into: &request.filter, &request.conditions)
        case .boosts: request.rules.boosts = try rules.boosts(&reader, at: "/boosts")
        case .pins: request.rules.pins = try reader.pins(at: "/pins", within: limits)
        case .groupBy:
            request.rules.groupLimit =
                try reader.isNull() ? nil : reader.groupLimit(at: "/group_by", within: limits)
        case .scoreThreshold:
            let range = RetrievalRules.Limits.thresholds
            request.rules.scoreThreshold =
                try reader.isNull() ? nil : Float(reader.double(at: "/score_threshold", in: range))
        case .offset:
            request.rules.offset = try reader.isNull() ? nil : reader.integer(at: "/offset", in: limits.offset)
        case .minNew: request.rules.newShare = try reader.isNull() ? nil : reader.newShare(at: "/min_new")
        case .calibrate:
            request.rules.calibration = try reader.isNull() ? nil : reader.calibration(at: "/calibrate")
        case .guidance: request.guidance = try reader.isNull() ? nil : reader.guidanceSlots(at: "/guidance")
        }
    }
}
