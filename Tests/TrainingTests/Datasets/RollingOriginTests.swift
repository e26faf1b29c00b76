import CheckpointStore
import Foundation
import Kernels
import Testing
import Training

@Suite("Folds by time") struct RollingOriginTests {
    private struct Event {
        var user: Int
        var item: Int
        var time: Int
    }

    /// Events at different seconds; later events have later items too, so that each window brings new ones.
    private static func log(seed: UInt64, count: Int = 400) -> [Event] {
        var generator = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        return (0..<count).map { place in
            Event(
                user: Int.random(in: 0..<30, using: &generator),
                item: Int.random(in: 0..<20 + place / 10, using: &generator),
                time: 1_700_000_000 + 60 * (place * 7919 % count)
            )
        }
    }

    private static func text(_ log: [Event]) -> String {
        "user,item,timestamp\n" + log.map { "u\($0.user),i\($0.item),\($0.time)\n" }.joined()
    }

    @Test("each fold learns from the past alone", arguments: 0..<4 as Range<UInt64>)
    func pastOnly(seed: UInt64) throws {
        let log = Self.log(seed: seed)
        let origins = try withFile(Self.text(log)) {
            try RollingOrigin(events: EventSource(file: $0), folds: 4)
        }
        let sorted = log.map(\.time).sorted()
        #expect(origins.folds.count == 4)
        for (number, fold) in origins.folds.enumerated() {
            let (first, next) = (200 + 50 * number, 250 + 50 * number)
            let (validation, test) = (sorted[first - 40], sorted[first])
            let end = number < 3 ? sorted[next] : Int.max
            #expect(fold.testStart == Timestamp(Double(test)) && fold.validationStart == Timestamp(Double(validation)))
            let known = Set(log.filter { $0.time < test }.map { "i\($0.item)" })
            #expect(Set(fold.data.catalogue.ids) == known && fold.data.catalogue.count == known.count)
            for (part, start, stop) in [
                (SplitPart.train, 0, validation), (.validation, validation, test), (.test, test, end),
            ] {
                let own = fold.data.split[part]
                var targets = 0
                for (row, user) in own.userIDs.enumerated() {
                    let events = log.filter { "u\($0.user)" == user && $0.time < stop }.sorted { $0.time < $1.time }
                    let items = own.sequences[row].map { $0 < 0 ? nil : fold.data.catalogue.ids[Int($0)] }
                    #expect(items == events.map { known.contains("i\($0.item)") ? "i\($0.item)" : nil })
                    guard part != .train else { continue }
                    let weights = own.weights[own.sequences.offsets[row]..<own.sequences.offsets[row + 1]]
                    #expect(Array(weights) == events.map { $0.time >= start ? 1 : 0 })
                    targets += events.dropFirst().count { $0.time >= start }
                }
                let users = Set(log.filter { $0.time >= start && $0.time < stop }.map { "u\($0.user)" })
                #expect(Set(own.userIDs) == users)
                guard part != .train else { continue }
                #expect(EvaluationRows(own, protocol: .allPrefixes).count == targets)
            }
        }
    }

    @Test("weights of targets and folds are multiplied")
    func weights() throws {
        let log = Self.log(seed: 9)
        let rows = log.map { "u\($0.user),i\($0.item),\($0.time),\($0.item % 3)\n" }
        let text = "user,item,timestamp,w\n" + rows.joined()
        var targets = TargetConfiguration()
        targets.weightColumn = "w"
        let fold = try withFile(text) {
            try RollingOrigin(events: EventSource(file: $0), targets: targets, folds: 1).folds[0]
        }
        for part in [fold.data.split.train, fold.data.split.validation] {
            for (item, weight) in zip(part.sequences.ids, part.weights) {
                let own = Float((Int(fold.data.catalogue.ids[Int(item)].dropFirst()) ?? 0) % 3)
                #expect(weight == own || (part.userIDs == fold.data.split.validation.userIDs && weight == 0))
            }
        }
        #expect(fold.data.split.train.weights.contains(2) && fold.data.split.validation.weights.contains(2))
    }

    @Test("ordinals and small logs are refused")
    func refused() throws {
        func refusal(_ text: String, folds: Int) throws -> SmallDataError? {
            try withFile(text) { path in
                #expect(throws: SmallDataError.self) {
                    try RollingOrigin(events: EventSource(file: path), folds: folds)
                }
            }
        }
        let ordinals = try refusal("user,item,timestamp\nu,a,1\nu,b,2\n", folds: 1)
        #expect("\(ordinals.map(String.init(describing:)) ?? "")".contains("ordinals"))
        let small = try refusal(Self.text(Array(Self.log(seed: 1, count: 12))), folds: 12)
        #expect("\(small.map(String.init(describing:)) ?? "")".contains("of 12"))
    }
}
