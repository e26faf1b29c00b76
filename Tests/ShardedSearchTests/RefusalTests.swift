import CheckpointStore
import Logging
import PostgreSQL
import Serving
import ShardedSearch
import Testing

@Suite("what the search refuses") struct RefusalTests {
    @Test("an address that is none is named by its position, not by its text")
    func namesAddress() throws {
        do { try ConnectionPool.requireLibrary() } catch { return }
        let addresses = ["postgres://db/items", "mysql://root:secret@db/items"]
        for make in [
            { _ = try ShardPublication(to: addresses) },
            { _ = try ShardedSearch(in: addresses, logger: Logger(label: "test")) },
        ] {
            do {
                try make()
                Issue.record("mysql is no PostgreSQL")
            } catch {
                #expect("\(error)".hasPrefix("Address 2") && !"\(error)".contains("secret"))
            }
        }
    }

    @Test("a version is not rejected while the servers do not answer")
    func waits() throws {
        do { try ConnectionPool.requireLibrary() } catch { return }
        let search = try ShardedSearch(in: ["postgres://127.0.0.1:1/none"], logger: Logger(label: "test"))
        let manifest = CheckpointManifest(
            model: "m",
            system: "dimerec",
            recipe: "{}",
            seed: 1,
            build: "",
            dimension: 2,
            items: 2,
            trainRows: 0,
            seconds: 0,
            metrics: [:],
            data: DataFingerprint(split: "files", splitSeed: 0, digests: [:])
        )
        let summary = VersionSummary(manifest: manifest, isActive: true, bytes: 0, digest: "d")
        #expect {
            try search.require(summary)
        } throws: { error in
            if case SnapshotError.searchUnavailable = error { true } else { false }
        }
    }
}
