import CheckpointStore
import Testing

@Suite("Validation figures of several versions") struct ValidationNoteTests {
    @Test("they compare only if the versions have the same data and split")
    func note() throws {
        let first = Fixtures.checkpoint(1).manifest
        var other = Fixtures.checkpoint(2).manifest
        #expect(CheckpointManifest.noteOfValidation(by: []) == nil)
        #expect(CheckpointManifest.noteOfValidation(by: [first, other]) == nil)
        other.data.digests["events"] = "01ff"
        let note = try #require(CheckpointManifest.noteOfValidation(by: [first, other]))
        #expect(note.contains("'ml'") && note.contains("do not compare") && note.contains("dimerec evaluate"))
    }

    @Test("a judgement names the measure, both figures and the replaced version")
    func brief() {
        let judgement = VersionJudgement(
            replaced: 3,
            measure: "hr@20",
            rows: 9,
            old: 0.25,
            new: 1.0 / 3,
            low: 0,
            high: 1
        )
        #expect(judgement.brief == "hr@20 0.3333 against 0.25 of version 3")
    }
}
