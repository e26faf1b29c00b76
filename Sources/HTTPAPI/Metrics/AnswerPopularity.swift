import NIOCore
import Serving
import Synchronization

/// How popular the answered items are: their mean place in the popularity list, from 0, the most popular, to 1.
///
/// Taken from some answers of each event loop, on a thread that gives way to the loops. It keeps a snapshot only while one
/// of its answers waits, so that an old version is freed there at the latest.
final class AnswerPopularity: Sendable {
    /// Answers that wait; beyond, new ones are passed over.
    private static let capacity = 64
    /// For so many snapshots the items' places are kept.
    private static let catalogues = 4

    private struct Sample {
        let snapshot: ServingSnapshot
        let items: [Int32]
        let period: UInt64
    }

    private struct Sum {
        var period: UInt64 = 0
        var places = 0.0
        var items = 0.0
    }

    private struct State {
        var waiting: [Sample] = []
        var sums = [Sum](repeating: Sum(), count: DriftWindow.rooms)
        /// By generation the place of each item.
        var places: [UInt64: [Float]] = [:]
    }

    private let state = Mutex(State())
    private let thread = BackgroundThread(name: "popularity")

    /// Takes an answer to look at.
    func note(_ items: [Int32], from snapshot: ServingSnapshot, period: UInt64) {
        let isFirst = state.withLock { state in
            guard state.waiting.count < Self.capacity else { return false }
            state.waiting.append(Sample(snapshot: snapshot, items: items, period: period))
            return state.waiting.count == 1
        }
        if isFirst { thread.async { [self] in lookAtSamples() } }
    }

    /// The mean over the answers of the last minute; nil without one.
    func mean(at now: NIODeadline) -> Double? {
        let recent = DriftWindow.recent(at: now)
        let sums = state.withLock { $0.sums.filter { recent.contains($0.period) } }
        let items = sums.reduce(0) { $0 + $1.items }
        return items > 0 ? sums.reduce(0) { $0 + $1.places } / items : nil
    }

    /// Waits until all answers so far have been looked at.
    func waitUntilIdle() async {
        await withCheckedContinuation { continuation in thread.async { continuation.resume() } }
    }

    private func lookAtSamples() {
        var samples: [Sample] = []
        state.withLock { swap(&$0.waiting, &samples) }
        for sample in samples {
            let places = places(in: sample.snapshot)
            let sum = sample.items.reduce(0.0) { sum, item in
                sum + Double(places.indices.contains(Int(item)) ? places[Int(item)] : 1)
            }
            let room = DriftWindow.room(of: sample.period)
            state.withLock { state in
                if state.sums[room].period != sample.period { state.sums[room] = Sum(period: sample.period) }
                state.sums[room].places += sum
                state.sums[room].items += Double(sample.items.count)
            }
        }
    }

    /// The place of each item; an item that the list does not name is the least popular.
    private func places(in snapshot: ServingSnapshot) -> [Float] {
        if let places = state.withLock({ $0.places[snapshot.generation] }) { return places }
        var places = [Float](repeating: 1, count: snapshot.itemCount)
        let last = Float(max(1, snapshot.popularity.count - 1))
        for (place, item) in snapshot.popularity.enumerated() where places.indices.contains(Int(item)) {
            places[Int(item)] = Float(place) / last
        }
        state.withLock { state in
            if state.places.count == Self.catalogues { state.places.removeAll() }
            state.places[snapshot.generation] = places
        }
        return places
    }
}
