// Linked with one layer, whole, and only the layers it declares: an undeclared use is an undefined
// symbol here.
int main() { return 0; }
