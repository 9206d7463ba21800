# The layers of the house, and what each may use. The one source of truth: gyre_layer() and gyre_adapter() refuse at
# configure time what is not in a row here, and tools/tidy.py reads the same rows for the includes.
# One row a layer: "layer: the layers it may use". "adapter" is the row of every folder under src/adapter/; an adapter
# never uses another one. Only "apps" may use adapters: it wires them to the ports.
set(GYRE_LAYERS
  "base:"
  "domain: base"
  "observe: domain base"
  "reason: domain base"
  "act: domain base"
  "evaluate: domain base"
  "codec: domain base"
  "control: observe reason act evaluate domain base"
  "sim: control observe reason act evaluate domain base"
  "live: control codec observe reason act evaluate domain base"
  "server: live control codec observe reason act evaluate domain base"
  "agent: act codec domain base"
  "adapter: live agent control codec observe reason act domain base"
  "cli: server live agent sim control codec observe reason act evaluate domain base"
  "apps: cli server live agent sim control codec observe reason act evaluate domain base adapter"
)

# Sets OUT to the layers that LAYER may use; an unknown layer is an error.
function(gyre_layer_row LAYER OUT)
  foreach(row IN LISTS GYRE_LAYERS)
    if(row MATCHES "^${LAYER}:(.*)$")
      separate_arguments(allowed UNIX_COMMAND "${CMAKE_MATCH_1}")
      set(${OUT} "${allowed}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "cmake/Layers.cmake has no row for the layer '${LAYER}'")
endfunction()

# Stops the configuration when WHO, whose row is ROW, names in DEPS a layer that the row does not allow.
function(gyre_check_deps WHO ROW DEPS)
  gyre_layer_row(${ROW} allowed)
  foreach(dep IN LISTS DEPS)
    if(NOT dep IN_LIST allowed)
      string(REPLACE ";" " " shown "${allowed}")
      message(FATAL_ERROR "layer violation: '${WHO}' may not use '${dep}'. Its row in cmake/Layers.cmake is "
                          "\"${ROW}: ${shown}\". Move the code, or put a port below and implement it above.")
    endif()
  endforeach()
endfunction()
