# Writes OUT: a source file that holds ROOT/api/openapi.yaml as it is, and every file of ROOT/web/dist and every trace of
# ROOT/data compressed.
# A list of numbers: a string literal has a limit in the standard. Bytes beyond ASCII are negative chars.
function(append_bytes name path)
  file(READ "${path}" hex HEX)
  string(REGEX REPLACE "(..)" "char(0x\\1)," bytes "${hex}")
  string(REGEX REPLACE "((char.0x...,){12})" "\\1\n" bytes "${bytes}")
  string(APPEND text "\nconstexpr char ${name}[] = {\n${bytes}};\n")
  set(text "${text}" PARENT_SCOPE)
endfunction()

# Packs a file as the next kFile, and describes it at the end of the variable that LIST names.
function(append_file LIST path file type)
  set(packed "${OUT}.gz")
  file(ARCHIVE_CREATE OUTPUT "${packed}" PATHS "${file}" FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9 MTIME 0)
  append_bytes("kFile${number}" "${packed}")
  file(REMOVE "${packed}")
  file(SHA256 "${file}" digest)
  string(SUBSTRING "${digest}" 0 32 digest)
  set(row "    {\"${path}\", \"${type}\", \"${digest}\", {kFile${number}, sizeof(kFile${number})}},\n")
  math(EXPR number "${number} + 1")
  set(${LIST} "${${LIST}}${row}" PARENT_SCOPE)
  set(number "${number}" PARENT_SCOPE)
  set(text "${text}" PARENT_SCOPE)
endfunction()

set(types "html=text/html\\; charset=utf-8" "js=text/javascript\\; charset=utf-8" "css=text/css\\; charset=utf-8"
    "svg=image/svg+xml" "woff2=font/woff2")
set(text "#include \"server/embedded.h\"\n\nnamespace gyre::server {\nnamespace {\n")
append_bytes(kOpenapi "${ROOT}/api/openapi.yaml")
file(GLOB_RECURSE files RELATIVE "${ROOT}/web/dist" "${ROOT}/web/dist/*.*")
list(SORT files)
list(FILTER files EXCLUDE REGEX "\\.sha256$")
set(rows "")
set(number 0)
foreach(path IN LISTS files)
  string(REGEX MATCH "[^.]+$" suffix "${path}")
  string(REGEX MATCH "(^|;)${suffix}=([^;\\]+(\\\\;[^;]*)?)" found "${types}")
  string(REGEX REPLACE "^;?${suffix}=" "" type "${found}")
  string(REPLACE "\\" "" type "${type}")
  if(NOT type)
    message(FATAL_ERROR "web/dist/${path}: no content type for '.${suffix}' in src/server/embed.cmake: add it")
  endif()
  append_file(rows "${path}" "${ROOT}/web/dist/${path}" "${type}")
endforeach()
if(number EQUAL 0)
  message(FATAL_ERROR "web/dist is empty: it is committed; 'npm ci && npm run build' in web/ makes it anew")
endif()
file(GLOB files RELATIVE "${ROOT}/data" "${ROOT}/data/*.csv")
list(SORT files)
set(traces "")
foreach(path IN LISTS files)
  append_file(traces "${path}" "${ROOT}/data/${path}" "text/csv")
endforeach()
string(APPEND text "\nconstexpr EmbeddedFile kFiles[] = {\n${rows}};\n"
       "\nconstexpr EmbeddedFile kTraces[] = {\n${traces}};\n\n}  // namespace\n"
       "\nstd::string_view openapi_yaml() { return {kOpenapi, sizeof(kOpenapi)}; }\n"
       "\nstd::span<const EmbeddedFile> dashboard_files() { return kFiles; }\n"
       "\nstd::span<const EmbeddedFile> trace_files() { return kTraces; }\n"
       "\n}  // namespace gyre::server\n")
file(WRITE "${OUT}" "${text}")
