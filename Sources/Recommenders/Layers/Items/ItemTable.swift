/// The table of item rows that every trained system has among its parameters.
public enum ItemTable {
    /// Its name, `[V, d]`; with biases `[V, d + 1]`.
    public static let name = "items"
}
