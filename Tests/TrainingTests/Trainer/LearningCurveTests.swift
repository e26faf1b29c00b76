import Foundation
import Testing
import Training

@Suite("Learning curve") struct LearningCurveTests {
    private var curve: LearningCurve {
        var curve = LearningCurve(name: "a", progress: TrainingProgress())
        curve.points = [
            .init(seconds: 2.5, targets: 1_000, step: 4, hitRate: 0.25, reciprocalRank: 0.125),
            .init(seconds: 5, targets: 2_000, step: 8, hitRate: 0.5, reciprocalRank: 0.25),
            .init(seconds: 7.5, targets: 3_000, step: 12, hitRate: 0.375, reciprocalRank: 0.1875),
        ]
        return curve
    }

    @Test("a curve is read as it was written") func roundTrip() throws {
        try withFile("") { path in
            try curve.write(to: path)
            #expect(try LearningCurve(contentsOf: path).points == curve.points)
        }
    }

    @Test("the best figure within a time never falls with more time") func best() {
        #expect(curve.best(within: 1) == nil)
        #expect([2.5, 5, 100].map { curve.best(within: $0) } == [0.25, 0.5, 0.5])
    }

    @Test(
        "a file that is no curve is an error with its line",
        arguments: [("a,b\n", 1), ("seconds,targets,step,hr@20,mrr@20\n1,2,3,4,5\n1,2,x,4,5\n", 3)]
    )
    func damaged(text: String, line: Int) throws {
        try withFile(text) { path in
            let error = #expect(throws: LearningCurveError.self) { try LearningCurve(contentsOf: path) }
            #expect(error?.description.contains("\(path):\(line):") == true)
        }
    }

    @Test("a missing file is an error with its path") func missing() {
        #expect(throws: LearningCurveError.unreadable("/nowhere.csv")) { try LearningCurve(contentsOf: "/nowhere.csv") }
    }

    @Test("a plot names every curve") func plot() throws {
        var other = curve
        other.name = "earlier"
        try withFile("") { path in
            try LearningCurve.plot([curve, other], title: "Learning", to: path)
            let svg = try String(contentsOfFile: path, encoding: .utf8)
            #expect(svg.hasPrefix("<svg") && svg.contains(">a<") && svg.contains(">earlier<"))
        }
    }
}
