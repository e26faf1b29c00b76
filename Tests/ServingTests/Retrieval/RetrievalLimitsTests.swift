import Serving
import Testing

@Suite("RetrievalLimits") struct RetrievalLimitsTests {
    private static let limits = RetrievalLimits(maxK: 70, maxHistory: 5, maxBatch: 3, maxSamples: 2)

    /// A request with one number.
    private static func request(_ field: String, _ number: Int) -> RetrievalRequest {
        var request = RetrievalRequest()
        switch field {
        case "k": request.k = number
        case "samples": request.samples = number
        case "steps": request.steps = number
        default: request.effort = number
        }
        return request
    }

    @Test(
        "both ends of a bound are allowed, and the numbers beside them are not",
        arguments: [
            ("k", limits.k), ("samples", limits.samples), ("steps", RetrievalLimits.steps),
            ("ef", RetrievalLimits.effort),
        ]
    )
    func bounds(field: String, range: ClosedRange<Int>) throws {
        for number in [range.lowerBound, range.upperBound] {
            try Self.request(field, number).validate(within: Self.limits)
        }
        for number in [range.lowerBound - 1, range.upperBound == .max ? -1 : range.upperBound + 1] {
            let error = RetrievalError.invalidArgument(field: field, message: range.requirement(got: number))
            #expect(throws: error) { try Self.request(field, number).validate(within: Self.limits) }
        }
    }

    @Test("the defaults and all given bounds are kept")
    func initial() {
        #expect(Self.limits.samples == 1...2 && Self.limits.k == 1...70)
        #expect(Self.limits.maxHistory == 5 && Self.limits.maxBatch == 3)
        #expect(RetrievalLimits().maxSamples == 16)
    }
}
