import Foundation
import Training

/// Shows training: a progress bar on a terminal, otherwise one JSON line for each validation and stage.
struct TrainingProgressView {
    /// When the training or its refit started.
    private var start = ContinuousClock.now
    private var isRefit = false
    private var lastDraw: ContinuousClock.Instant?
    private var firstStep: Int?

    /// Draws or writes an event.
    mutating func show(_ event: TrainingEvent) {
        switch event {
        case .step(let step, let total, let terms, let rate): drawBar(step, total, terms, rate)
        case .refit(let step, let total, let terms, let rate):
            if !isRefit { (isRefit, firstStep, start) = (true, nil, ContinuousClock.now) }
            drawBar(step, total, terms, rate)
            if step == total { showRefit(step) }
        case .validation(let step, let metrics, let isBest): showValidation(step, metrics, isBest)
        case .counts(let metrics, let areKept): showCounts(metrics, areKept)
        }
    }

    /// Writes which part of a retraining round begins.
    func show(_ stage: RetrainingRound.Stage) {
        guard !Terminal.isInteractive else { return Terminal.write("\(stage.rawValue)\n") }
        Terminal.write(JSONObject(["event": "stage", "stage": stage.rawValue]).line + "\n")
    }

    private func showRefit(_ steps: Int) {
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        if Terminal.isInteractive {
            Terminal.write("\r\u{1B}[2Klearnt from the validation part too, in \(steps) steps\n")
        } else {
            let fields: [String: Any] = [
                "event": "refit", "steps": steps, "seconds": (seconds * 1000).rounded() / 1000,
            ]
            Terminal.write(JSONObject(fields).line + "\n")
        }
    }

    private func showCounts(_ metrics: [String: Double], _ areKept: Bool) {
        if Terminal.isInteractive {
            let gains = ["hr@20", "mrr@20"].map { "\($0.uppercased()) " + String(format: "%.4f", metrics[$0] ?? 0) }
            Terminal.write("with counts  \(gains.joined(separator: "  "))\(areKept ? "  kept" : "  not kept")\n")
        } else {
            var fields = Self.fields(metrics)
            fields["event"] = "counts"
            fields["kept"] = areKept
            Terminal.write(JSONObject(fields).line + "\n")
        }
    }

    private mutating func drawBar(_ step: Int, _ total: Int?, _ terms: [(name: String, value: Float)], _ rate: Double) {
        guard Terminal.isInteractive else { return }
        // A resumed run does not start at step 1; only steps of this run took time.
        let firstStep = firstStep ?? step - 1
        self.firstStep = firstStep
        let now = ContinuousClock.now
        if let lastDraw, now - lastDraw < .milliseconds(100), step != total { return }
        lastDraw = now
        let filled = total.map { 24 * step / max($0, 1) } ?? 0
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: 24 - filled)
        let elapsed = (now - start) / .seconds(1)
        let left = total.map { elapsed / Double(step - firstStep) * Double($0 - step) }
        let losses = terms.map { "\($0.name) " + String(format: "%.3f", $0.value) }.joined(separator: "  ")
        Terminal.write(
            "\r\u{1B}[2K\(bar) \(step)/\(total.map(String.init) ?? "?")  \(Int(rate)) samples/s  \(losses)  ETA \(left.map(Self.clock) ?? "?")"
        )
    }

    private mutating func showValidation(_ step: Int, _ metrics: [String: Double], _ isBest: Bool) {
        let elapsed = (ContinuousClock.now - start) / .seconds(1)
        if Terminal.isInteractive {
            let hits = [20, 50].map { "HR@\($0) " + String(format: "%.4f", metrics["hr@\($0)"] ?? 0) }
            Terminal.write("\r\u{1B}[2Kstep \(step)  \(hits.joined(separator: "  "))\(isBest ? "  best" : "")\n")
        } else {
            var fields = Self.fields(metrics)
            fields["event"] = "validation"
            fields["step"] = step
            fields["best"] = isBest
            fields["seconds"] = (elapsed * 1000).rounded() / 1000
            Terminal.write(JSONObject(fields).line + "\n")
        }
    }

    /// Metrics with five decimals: more would be noise, and lines too long to read.
    private static func fields(_ metrics: [String: Double]) -> [String: Any] {
        metrics.mapValues { ($0 * 1e5).rounded() / 1e5 }
    }

    /// Seconds as `m:ss` or `h:mm:ss`.
    static func clock(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded())
        return whole >= 3600
            ? String(format: "%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60)
            : String(format: "%d:%02d", whole / 60, whole % 60)
    }
}
