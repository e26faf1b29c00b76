import Kernels

/// Ids that someone chose so that a table that hashes with FNV-1a, which has no key, puts them all into one slot.
///
/// - Parameters:
///   - count: How many ids.
///   - place: The slot of a hash.
/// - Returns: The ids, whose slot is 0.
package func makeCraftedIdentifiers(count: Int, place: (UInt64) -> UInt64) -> [String] {
    var ids: [String] = []
    var candidate = 0
    while ids.count < count {
        let id = String(candidate, radix: 36)
        if place(stableHash(id.utf8)) == 0 { ids.append(id) }
        candidate += 1
    }
    return ids
}
