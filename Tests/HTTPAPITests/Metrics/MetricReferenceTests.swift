import HTTPAPI
import TestSupport
import Testing

@Suite("metric reference") struct MetricReferenceTests {
    @Test("the documentation's page is what the program prints")
    func page() throws {
        let page = try Documentation.page("Reference/PrometheusMetrics")
        #expect(page == MetricReference.markdown + "\n", "run deploy/generate-reference PROGRAM")
    }

    @Test("counters end in _total, and every family has one row with one sentence")
    func names() {
        for family in MetricFamily.allCases {
            #expect((family.kind == .counter) == family.rawValue.hasSuffix("_total"), "\(family)")
            #expect(MetricReference.markdown.split(separator: "| `\(family.rawValue)` |").count == 2, "\(family)")
            #expect(family.help.hasSuffix(".") && !family.help.contains("|"), "\(family)")
        }
    }
}
