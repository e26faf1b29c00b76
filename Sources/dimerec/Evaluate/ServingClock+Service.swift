import CheckpointStore
import Dispatch
import Foundation
import Recommenders
import Serving
import Synchronization
import Training

extension ServingClock {
    /// The service's own encoder and search, in this process.
    static let ofService = ServingClock(
        forwardPass: { model, histories, steps, samples in
            guard model.configuration.geometry == .sphere, !histories.isEmpty else { return nil }
            let engine = InferenceEngine(model.inferenceWeights())
            return microseconds(engine, histories, steps: steps, samples: samples)
        },
        service: { checkpoint, histories in
            let snapshot = try SnapshotBuilder.standard(warmUpRequests: 8, minRecall: 0).build(
                checkpoint,
                generation: 1
            )
            let steps = snapshot.encoder.defaultSteps
            return Cost(
                microseconds: microseconds(snapshot.encoder, histories, steps: steps, samples: 1),
                requestsPerSecond: requestsPerSecond(snapshot, histories)
            )
        }
    )

    /// The mean time a user of the fastest of five rounds over the histories, one user at a time, after a warm-up.
    private static func microseconds(
        _ encoder: any UserEncoder,
        _ histories: [[Int32]],
        steps: Int,
        samples: Int
    ) -> Double {
        let workspace = encoder.makeWorkspace()
        func pass() {
            for (user, history) in histories.enumerated() {
                workspace.removeAll()
                encoder.add(history: history[...], seed: UInt64(user), steps: steps, samples: samples, to: workspace)
                encoder.generate(in: workspace)
            }
        }
        pass()
        let clock = ContinuousClock()
        let fastest = (0..<5).map { _ in clock.measure(pass) }.min() ?? .zero
        return fastest / .microseconds(1) / Double(histories.count)
    }

    /// The rate of answers with 20 items over one second, histories in turn, on as many threads as there are cores.
    private static func requestsPerSecond(_ snapshot: ServingSnapshot, _ histories: [[Int32]]) -> Double {
        let holder = RoutingHolder()
        holder.publish(RoutingTable(snapshot))
        let service = RetrievalService(holder: holder)
        let requests = histories.map { history in
            RetrievalRequest(history: history.map(snapshot.identifiers.id), k: 20)
        }
        let answered = Mutex(0)
        let start = ContinuousClock.now
        let end = start + .seconds(1)
        DispatchQueue.concurrentPerform(iterations: ProcessInfo.processInfo.activeProcessorCount) { thread in
            let workspace = RetrievalWorkspace()
            var count = 0
            while ContinuousClock.now < end {
                // Failures do not count; the snapshot's warm-up has shown that there are none.
                if (try? service.retrieve(requests[(thread + count) % requests.count], workspace: workspace)) != nil {
                    count += 1
                }
            }
            let done = count
            answered.withLock { $0 += done }
        }
        return Double(answered.withLock { $0 }) / ((ContinuousClock.now - start) / .seconds(1))
    }
}
