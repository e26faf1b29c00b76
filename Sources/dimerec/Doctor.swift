import ArgumentParser
import CheckpointStore
import Foundation
import Kernels

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Report the machine's CPU level, BLAS core, cores and limits, and check a store."
    )
    @Option(help: "A store; all its versions are verified. A damaged one exits with 3.") var store: String?
    @Flag(help: "Print one JSON object.") var json = false

    func run() throws {
        var findings: [(name: String, ok: Bool, detail: String)] = [
            (
                "cpu", CPU.kernelLevel != "baseline",
                "kernels run at \(CPU.kernelLevel), products of trainings in \(BfloatLevel.best)"
            ),
            (
                "blas", BLAS.betterCoreType == nil,
                "OpenBLAS core \(BLAS.coreName) (\(BLAS.configuration.trimmingCharacters(in: .whitespaces)))"
                    + (BLAS.betterCoreType.map { "; OPENBLAS_CORETYPE=\($0) would be faster" } ?? "")
            ),
            ("cores", true, "\(ProcessInfo.processInfo.activeProcessorCount) active"),
        ]
        findings.append(openFiles())
        if let store { findings += try versions(store) }
        let isSound = findings.allSatisfy(\.ok)
        if json {
            let rows = findings.map { ["name": $0.name, "ok": $0.ok, "detail": $0.detail] as [String: Any] }
            Terminal.print(JSONObject(["findings": rows, "ok": isSound]).line)
        } else {
            for finding in findings {
                Terminal.print("\(finding.ok ? "ok  " : "LOOK") \(finding.name): \(finding.detail)")
            }
        }
        if findings.contains(where: { $0.name.hasPrefix("store") && !$0.ok }) { throw ExitCode.badData }
    }

    private func openFiles() -> (name: String, ok: Bool, detail: String) {
        // As `serve` does at its start.
        let limit = OpenFileLimit.raise()
        let needed = 10_384
        let advice = limit >= needed ? "enough for" : "\(needed) are needed (`ulimit -Hn \(needed)`) for"
        return ("limits", limit >= needed, "\(limit) open files, \(advice) 10,000 connections")
    }

    private func versions(_ path: String) throws -> [(name: String, ok: Bool, detail: String)] {
        let store = try CheckpointStore(path: path, readOnly: true)
        let damage = try store.damage().map { ("store \($0.location)", false, $0.what) }
        return try damage
            + store.models().flatMap { model in
                try store.inventory(of: model).map { stored in
                    do {
                        let bytes = try stored.summary.get().bytes
                        _ = try store.load(model: model, version: stored.number)
                        return ("store \(model) \(stored.number)", true, "intact, \(bytes) bytes")
                    } catch {
                        return ("store \(model) \(stored.number)", false, "\(error)")
                    }
                }
            }
    }
}
