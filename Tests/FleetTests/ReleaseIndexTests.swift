import Fleet
import Foundation
import Kernels
import Testing

/// A release with the given digits as its digest.
func makeRelease(_ sequence: Int = 0, model: String = "m", version: Int = 1, digit: String = "a", share: Double = 100)
    -> Release
{
    let digest = String(repeating: digit, count: 64 / digit.count)
    return Release(
        sequence: sequence,
        model: model,
        version: version,
        file: "bundles/\(digest).sqlite",
        bytes: 10,
        sha256: digest,
        share: share,
        replicas: [],
        guard: nil,
        published: "2026-01-01T00:00:00Z"
    )
}

@Suite("release index") struct ReleaseIndexTests {
    /// An index of releases whose digests are the letters.
    private func index(_ letters: String) -> ReleaseIndex {
        var index = ReleaseIndex()
        for letter in letters { _ = index.add(makeRelease(digit: String(letter)), keeping: 10) }
        return index
    }

    private func letters(_ index: ReleaseIndex) -> String {
        index.releases.map { String($0.sha256.prefix(1)) }.joined()
    }

    @Test("a document gives the same index again")
    func roundTrip() throws {
        var index = index("abc")
        var release = makeRelease(model: "other", digit: "d", share: 12.5)
        release.guard = Release.Bounds(maxErrorRate: 0.01, maxP99Ms: 5, minRequests: 7)
        release.replicas = ["shop-1:8080"]
        _ = index.add(release, keeping: 1)
        #expect(try ReleaseIndex(json: index.json()) == index)
        #expect(index.models == ["m", "other"])
    }

    @Test(
        "a bad document is refused with the place of the fault",
        arguments: [
            ("sequence\" : 1", "sequence\" : 0", "sequence is 0"),
            ("sequence\" : 2", "sequence\" : 9223372036854775807", "sequence is 9223372036854775807"),
            ("bytes\" : 10", "bytes\" : 0", "bytes is 0"),
            ("bytes\" : 10", "bytes\" : \"x\"", "releases[0].bytes"),
            ("share\" : 100", "share\" : 101", "share is 101"),
            ("bundles/a", "../a", "file is '../a"), ("bundles/a", "/a", "file is '/a"),
            ("bundles/a", "http://x/a", "file is 'http:"), ("sha256\" : \"aa", "sha256\" : \"AA", "sha256 is 'AA"),
            ("version\" : 1", "version\" : 0", "version is 0"), ("format\" : 1", "format\" : 2", "format is 2"),
            ("model\" : \"m\"", "model\" : \"\"", "model is empty"),
            ("sequence\" : 2", "sequence\" : 1", "does not follow"),
            ("model\" : \"m\"", "name\" : \"m\"", "releases[0].model is missing"), ("{", "", "not JSON"),
        ]
    )
    func rejects(old: String, new: String, reason: String) throws {
        let text = String(decoding: try index("ab").json(), as: UTF8.self)
        let range = try #require(text.range(of: old))
        let changed = text.replacingCharacters(in: range, with: new)
        do {
            _ = try ReleaseIndex(json: Data(changed.utf8))
            Issue.record("accepted \(changed)")
        } catch {
            #expect("\(error)".contains(reason), "\(error)")
        }
    }

    @Test("publishing the newest again changes its stage only, and an older one becomes the newest")
    func publishesAgain() {
        var index = index("abc")
        #expect(index.releases.map(\.sequence) == [1, 2, 3])
        let (widened, _) = index.add(makeRelease(digit: "c", share: 10), keeping: 10)
        #expect(widened.sequence == 3 && letters(index) == "abc" && index.releases.map(\.share) == [100, 100, 10])
        let (again, removed) = index.add(makeRelease(digit: "a"), keeping: 10)
        #expect(again.sequence == 4 && letters(index) == "bca" && removed.isEmpty)
    }

    @Test("only the newest releases of a model stay, and a file leaves with its last release")
    func keeps() {
        var index = index("abc")
        _ = index.add(makeRelease(model: "other", digit: "a"), keeping: 1)
        let (_, removed) = index.add(makeRelease(digit: "d"), keeping: 2)
        #expect(letters(index) == "cad")
        // The other model uses the file of "a".
        #expect(removed.map { $0.sha256.first } == ["b"])
    }

    @Test("a replica takes the newest release that is for it, newer than its last, and not refused: a search agrees")
    func chooses() {
        let generator = CounterBasedGenerator(seed: 5, purpose: .simulation)
        for trial in 0..<200 {
            let draws = generator.uniforms(stream: UInt64(trial), count: 40)
            var index = ReleaseIndex()
            for (position, digit) in "0123456789".enumerated() {
                _ = index.add(
                    makeRelease(
                        model: draws[position] < 0.5 ? "m" : "n",
                        digit: String(digit),
                        share: draws[position + 10] * 100
                    ),
                    keeping: 10
                )
            }
            let (replica, taken) = (Replica(name: "r\(trial)"), Int(draws[30] * 8))
            let refused = Set((0..<10).filter { draws[20 + $0] < 0.3 }.map { $0 + 1 })
            let found = index.next(of: "m", for: replica, after: taken) { refused.contains($0.sequence) }
            var expected: Release?
            for release in index.releases where release.model == "m" && release.sequence > taken {
                if replica.takes(release), !refused.contains(release.sequence) { expected = release }
            }
            #expect(found == expected)
        }
    }
}

@Suite("replica") struct ReplicaTests {
    private let replicas = (0..<10_000).map { Replica(name: "shop-\($0):8080") }

    @Test("a share is a share of the replicas, and a larger one only adds replicas", arguments: [0, 1, 10, 50, 100.0])
    func shares(share: Double) {
        let takers = replicas.filter { $0.takes(makeRelease(share: share)) }
        // Four standard deviations of a binomial share.
        let deviation = (share / 100 * (1 - share / 100) / Double(replicas.count)).squareRoot()
        #expect(abs(Double(takers.count) / Double(replicas.count) - share / 100) <= 4 * deviation)
        #expect(takers.allSatisfy { $0.takes(makeRelease(share: min(100, share + 20))) })
    }

    @Test("a named replica takes a release of share 0")
    func named() {
        var release = makeRelease(share: 0)
        release.replicas = ["shop-7:8080"]
        #expect(replicas.filter { $0.takes(release) }.map(\.name) == ["shop-7:8080"])
    }

    @Test("delays follow from the name, spread evenly, and do not depend on the share")
    func delays() {
        let delays = replicas.map { $0.delay(within: .seconds(60)) / .seconds(1) }
        #expect(delays == replicas.map { $0.delay(within: .seconds(60)) / .seconds(1) })
        for part in 0..<6 {
            let inPart = delays.count { Double(part * 10)..<Double(part * 10 + 10) ~= $0 }
            #expect(abs(inPart - 1667) < 150)
        }
        let early = zip(replicas, delays).filter { $0.0.takes(makeRelease(share: 10)) }.map(\.1)
        #expect(abs(early.reduce(0, +) / Double(early.count) - 30) < 3)
    }
}
