import Kernels

extension RaggedRows {
    /// Rows of the same lengths, with their elements numbered in order.
    var positions: RaggedRows {
        var next: Int32 = -1
        return mapIDs { _ in
            next += 1
            return next
        }
    }
}
