# Writes OUT: a source file that holds ROOT/web/index.html and ROOT/api/openapi.yaml as they are.
set(text "#include \"server/embedded.h\"\n\nnamespace gyre::server {\n")
foreach(pair "index_html web/index.html" "openapi_yaml api/openapi.yaml")
  separate_arguments(pair)
  list(GET pair 0 name)
  list(GET pair 1 path)
  file(READ "${ROOT}/${path}" hex HEX)
  # A list of numbers: a string literal has a limit in the standard. Bytes beyond ASCII are negative chars.
  string(REGEX REPLACE "(..)" "char(0x\\1)," bytes "${hex}")
  string(REGEX REPLACE "((char.0x...,){12})" "\\1\n" bytes "${bytes}")
  string(APPEND text "\nstd::string_view ${name}() {\n  static constexpr char kBytes[] = {\n${bytes}};\n"
         "  return {kBytes, sizeof(kBytes)};\n}\n")
endforeach()
string(APPEND text "\n}  // namespace gyre::server\n")
file(WRITE "${OUT}" "${text}")
