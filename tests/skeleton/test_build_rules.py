"""The build refuses what the layer table does not allow, and says which row."""

WITH_SQLITE = "gyre_adapter(NAME store LIBS SQLite::SQLite3)\n"


def test_clean_tree_builds_with_its_link_tests_and_lone_headers(tree):
    code, said = tree.configure()
    assert code == 0, said
    for target in ("link_base", "link_domain", "link_reason", "check_headers"):
        code, said = tree.build(target)
        assert code == 0, said


def test_a_layer_that_names_a_sibling_stops_the_configuration(tree):
    tree.write("src/reason/CMakeLists.txt", "gyre_layer(NAME reason DEPS act domain base)\n")
    code, said = tree.configure()
    assert code != 0
    assert "layer violation: 'reason' may not use 'act'" in said
    assert '"reason: domain base"' in said


def test_a_layer_without_a_row_stops_the_configuration(tree):
    tree.write("src/reason/CMakeLists.txt", "gyre_layer(NAME mystery DEPS base)\n")
    code, said = tree.configure()
    assert code != 0
    assert "no row for the layer 'mystery'" in said


def test_an_adapter_may_not_use_the_simulator(tree):
    tree.write("src/adapter/store/CMakeLists.txt", "gyre_adapter(NAME store DEPS sim)\n")
    code, said = tree.configure()
    assert code != 0
    assert "layer violation: 'adapter/store' may not use 'sim'" in said


def test_an_adapter_has_one_external_library(tree):
    tree.write("src/adapter/store/CMakeLists.txt",
               "gyre_adapter(NAME store LIBS SQLite::SQLite3 Boost::headers)\n")
    code, said = tree.configure()
    assert code != 0
    assert "'adapter/store' links sqlite;boost" in said


def test_an_unknown_library_stops_the_configuration(tree):
    tree.write("src/adapter/store/CMakeLists.txt", "gyre_adapter(NAME store LIBS Own::Thing)\n")
    code, said = tree.configure()
    assert code != 0
    assert "'Own::Thing' is not in cmake/ThirdParty.cmake" in said


def test_an_adapter_without_its_library_is_off_and_the_build_goes_on(tree):
    tree.replace("cmake/ThirdParty.cmake", "PACKAGE SQLite3 ", "PACKAGE NoSuchPackage ")
    tree.write("src/adapter/store/CMakeLists.txt", WITH_SQLITE)
    tree.write("src/adapter/store/store.cc", "int store() { return 1; }\n")
    code, said = tree.configure()
    assert code == 0, said
    assert "adapter/store is off: it needs SQLite::SQLite3 (Debian package libsqlite3-dev)" in said


def test_an_adapter_that_is_on_is_known_to_the_program(tree):
    tree.write("src/adapter/store/CMakeLists.txt", WITH_SQLITE)
    tree.write("src/adapter/store/store.cc", "int store() { return 1; }\n")
    tree.write("src/apps/main.cc",
               "int store();\nint main() { return store() - GYRE_HAVE_ADAPTER_STORE; }\n")
    assert tree.configure()[0] == 0
    code, said = tree.build("gyre")
    assert code == 0, said
    assert tree.run("build/gyre")[0] == 0


def test_a_call_into_an_undeclared_layer_fails_the_link_test(tree):
    tree.write("src/base/sneaky.cc", """\
        namespace gyre {
        int only_in_domain();
        int sneaky() { return only_in_domain(); }
        }  // namespace gyre
        """)
    assert tree.configure()[0] == 0
    code, said = tree.build("link_base")
    assert code != 0
    assert "undefined symbol: gyre::only_in_domain()" in said or "undefined reference" in said
    assert "only_in_domain" in said


def test_a_header_that_needs_another_one_first_fails(tree):
    tree.write("src/domain/lame.h", "#pragma once\n\ninline std::string lame() { return {}; }\n")
    assert tree.configure()[0] == 0
    code, said = tree.build("check_headers")
    assert code != 0
    assert "domain/lame.h" in said


def test_warnings_are_errors(tree):
    tree.write("src/base/loud.cc", "static int unused() { return 1; }\n")
    assert tree.configure()[0] == 0
    code, said = tree.build("gyre_base")
    assert code != 0
    assert "unused" in said
