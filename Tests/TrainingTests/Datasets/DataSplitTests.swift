import Kernels
import Testing
import Training

@Suite("Data split") struct DataSplitTests {
    /// Users `u0...` with events at random times, in no particular order.
    private func dataset(users: Int, seed: UInt64 = 3) throws -> InteractionDataset {
        var generator = SequentialGenerator(CounterBasedGenerator(seed: seed, purpose: .simulation))
        var text = "user,item,timestamp\n"
        for user in 0..<users {
            for _ in 0..<Int.random(in: 1...8, using: &generator) {
                let item = Int.random(in: 0..<50, using: &generator)
                text += "u\(user),i\(item),\(Int.random(in: 0..<1_000, using: &generator))\n"
            }
        }
        var vocabulary = ItemVocabulary()
        return try withFile(text) { try InteractionDataset.load(events: $0, vocabulary: &vocabulary) }
    }

    private func sequence(of id: String, in part: DataPart) -> [Int32]? {
        part.userIDs.firstIndex(of: id).map { Array(part.sequences[$0]) }
    }

    @Test("whole users fall into exactly one part", arguments: [SplitKind.users, .time], [1, 2, 9, 10, 500])
    func partition(kind: SplitKind, users: Int) throws {
        let dataset = try dataset(users: users)
        let split = DataSplit(dataset, by: kind, seed: 7)
        let parts = SplitPart.allCases.map { split[$0] }
        #expect(parts.flatMap(\.userIDs).sorted() == dataset.userIDs.sorted())
        for part in parts {
            #expect(part.targets == .any)
            for (row, id) in part.userIDs.enumerated() {
                let user = try #require(dataset.userIDs.firstIndex(of: id))
                #expect(part.sequences[row] == dataset.sequences[user])
            }
        }
    }

    @Test("a user split is about 8:1:1") func shares() throws {
        let split = DataSplit(try dataset(users: 5_000), by: .users, seed: 1)
        // Five standard deviations of a binomial with 5,000 trials.
        #expect(abs(split.train.userIDs.count - 4_000) < 142)
        #expect(abs(split.validation.userIDs.count - 500) < 107)
        #expect(abs(split.test.userIDs.count - 500) < 107)
    }

    @Test("over many seeds every user is held out about equally often") func fairness() throws {
        let dataset = try dataset(users: 40)
        var tested: [String: Int] = [:]
        for seed in 0..<1_000 as Range<UInt64> {
            for id in DataSplit(dataset, by: .users, seed: seed).test.userIDs { tested[id, default: 0] += 1 }
        }
        // Expectation 100; five standard deviations.
        #expect(dataset.userIDs.allSatisfy { abs(tested[$0, default: 0] - 100) < 48 }, "\(tested)")
    }

    @Test("a user split depends on the seed only, not on the other users") func stability() throws {
        let (small, large) = (try dataset(users: 300), try dataset(users: 3_000))
        let first = DataSplit(small, by: .users, seed: 5)
        #expect(first == DataSplit(small, by: .users, seed: 5))
        #expect(first != DataSplit(small, by: .users, seed: 6))
        let grown = DataSplit(large, by: .users, seed: 5)
        for part in SplitPart.allCases {
            #expect(Set(first[part].userIDs).isSubset(of: grown[part].userIDs))
        }
    }

    @Test("a user split is pinned, so that stored versions keep their test users") func pinned() throws {
        let split = DataSplit(try dataset(users: 40), by: .users, seed: 42)
        #expect(split.validation.userIDs == ["u29"])
        #expect(split.test.userIDs == ["u23"])
    }

    @Test("a time split never trains on events after its held-out events") func timeOrder() throws {
        let dataset = try dataset(users: 503)
        let split = DataSplit(dataset, by: .time, seed: 0)
        let last = Dictionary(uniqueKeysWithValues: zip(dataset.userIDs, dataset.lastTimestamps))
        let times = SplitPart.allCases.map { part in split[part].userIDs.compactMap { last[$0] } }
        #expect(times.map(\.count) == [402, 50, 51])
        for (earlier, later) in zip(times, times.dropFirst()) {
            #expect(try #require(earlier.max()) <= #require(later.min()))
        }
    }

    @Test("without a test part, its rows are for validation, and those for training", arguments: SplitKind.allCases)
    func withoutTest(kind: SplitKind) throws {
        let dataset = try dataset(users: 300)
        let (three, two) = (
            DataSplit(dataset, by: kind, seed: 7), DataSplit(dataset, by: kind, seed: 7, holdsOutTest: false)
        )
        #expect(two.test.userIDs.isEmpty && two.validation == three.test)
        let learnt = Dictionary(grouping: two.train.userIDs) { $0 }.mapValues(\.count)
        #expect(learnt.values.allSatisfy { $0 == 1 })
        for part in [three.train, three.validation] {
            for (row, id) in part.userIDs.enumerated() {
                #expect(try #require(sequence(of: id, in: two.train)).starts(with: part.sequences[row]))
            }
        }
        #expect(two.train.sequences.ids.count == three.sequencesBeforeTest.ids.count)
    }

    @Test("leave-one-out holds out each event at most once and trains on none of them") func leaveOneOut() throws {
        let dataset = try dataset(users: 200)
        let split = DataSplit(dataset, by: .leaveOneOut, seed: 0)
        #expect(split.train.targets == .any && split.validation.targets == .last && split.test.targets == .last)
        #expect(split.train.userIDs == dataset.userIDs)
        for (user, id) in dataset.userIDs.enumerated() {
            let whole = Array(dataset.sequences[user])
            if whole.count < 3 {
                #expect(sequence(of: id, in: split.train) == whole)
                #expect(sequence(of: id, in: split.validation) == nil && sequence(of: id, in: split.test) == nil)
            } else {
                #expect(sequence(of: id, in: split.train) == whole.dropLast(2))
                #expect(sequence(of: id, in: split.validation) == whole.dropLast(1))
                #expect(sequence(of: id, in: split.test) == whole)
            }
        }
    }

    @Test("given files become the parts unchanged") func files() throws {
        let (train, validation) = (try dataset(users: 20), try dataset(users: 5, seed: 9))
        let split = DataSplit(train: train, validation: validation, test: nil)
        #expect(split.train.sequences == train.sequences && split.train.userIDs == train.userIDs)
        #expect(split[.validation].sequences == validation.sequences)
        #expect(split.test.userIDs.isEmpty && split.test.sequences.count == 0)
    }

    @Test("kinds and parts have the names of the command line") func names() {
        #expect(SplitKind.allCases.map(\.rawValue) == ["users", "time", "leave-one-out"])
        #expect(SplitPart.allCases.map(\.rawValue) == ["train", "validation", "test"])
    }
}
