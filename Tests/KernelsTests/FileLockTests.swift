import Foundation
import Kernels
import Testing

@Suite("FileLock") struct FileLockTests {
    @Test("one holder at a time, and the lock is free after its holder is gone")
    func excludes() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "dimerec-\(UUID().uuidString).lock").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        do {
            let held = try FileLock(path: path)
            let isHeld = held != nil
            #expect(isHeld)
            let second = try FileLock(path: path) == nil
            #expect(second)
            withExtendedLifetime(held) {}
        }
        let third = try FileLock(path: path) != nil
        #expect(third)
        #expect(throws: SystemCallError.self) { _ = try FileLock(path: path + "/none/lock") }
    }
}
