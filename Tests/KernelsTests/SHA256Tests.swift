import Foundation
import Kernels
import Testing

@Suite("SHA-256") struct SHA256Tests {
    private func hexadecimal(_ digest: [UInt8]) -> String { digest.map { String(format: "%02x", $0) }.joined() }

    @Test(
        "the examples of FIPS 180-4 and of NIST's test vectors",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
                "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
            ),
        ]
    )
    func examples(text: String, digest: String) {
        for isPortable in [true, false] {
            var hash = SHA256(isPortable: isPortable)
            hash.update(Array(text.utf8).span)
            #expect(hexadecimal(hash.finalize()) == digest)
        }
    }

    @Test("a million times 'a', in parts of any length", arguments: [1, 63, 64, 65, 1000, 1_000_000])
    func millionTimes(part: Int) {
        var hash = SHA256()
        let bytes = [UInt8](repeating: UInt8(ascii: "a"), count: part)
        var left = 1_000_000
        while left > 0 {
            let count = min(part, left)
            hash.update(bytes.span.extracting(0..<count))
            left -= count
        }
        #expect(hexadecimal(hash.finalize()) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    @Test("both forms agree at every length around the ends of blocks")
    func formsAgree() {
        let bytes = (0..<400).map { UInt8(truncatingIfNeeded: $0 &* 151 &+ 7) }
        for length in 0...400 {
            var (portable, own) = (SHA256(isPortable: true), SHA256())
            portable.update(bytes.span.extracting(0..<length))
            own.update(bytes.span.extracting(0..<length / 3))
            own.update(bytes.span.extracting(length / 3..<length))
            #expect(portable.finalize() == own.finalize(), "\(length) bytes")
        }
    }
}
