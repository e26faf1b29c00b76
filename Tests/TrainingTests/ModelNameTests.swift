import Kernels
import Testing
import Training

@Suite("Model name") struct ModelNameTests {
    @Test("names that suit a path are allowed", arguments: ["m", "ml-1m", "2.0_b", "A..b", "9"])
    func allowed(name: String) throws {
        try ModelName.require(name)
    }

    @Test("the longest name has 128 bytes")
    func longest() throws {
        try ModelName.require(String(repeating: "a", count: 128))
        #expect(throws: ModelNameError.self) { try ModelName.require(String(repeating: "a", count: 129)) }
    }

    @Test(
        "other names are rejected with the allowed characters",
        arguments: ["", "../x", "a/b", ".a", "-a", "_a", "a b", "a\u{0}", "é", "a\n", "a%2fb", "\\", "モデル"]
    )
    func refused(name: String) {
        let error = #expect(throws: ModelNameError(name: name)) { try ModelName.require(name) }
        #expect("\(error.map(String.init(describing:)) ?? "")".contains("letters"))
    }

    @Test("an import of vectors rejects a name before it builds anything")
    func vectorImport() {
        let vectors = Matrix(rows: 4, columns: 16, repeating: 1)
        #expect(throws: ModelNameError(name: "a/b")) {
            try VectorImport(vectors: vectors, seed: 1, model: "a/b").checkpoint()
        }
    }
}
