// What a JSON schema allows, in a form that needs no further checks: references followed, allOf
// merged, unions flat. Lazily, for schemas may hold themselves.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay::engine {

using ShapeId = std::size_t;

struct Property {
    std::string name;
    ShapeId shape;
    bool required;
};

// One way that a value may be.
struct Alternative {
    enum class Kind { Null, Boolean, Integer, Number, String, Array, Object, Literal };
    Kind kind;
    std::string where{};   // JSON pointer, for errors
    bool implied = false;  // the schema names no type, but keywords of this one
    std::string literal{}; // JSON
    std::uint32_t min = 0, max = ~std::uint32_t{0}; // characters or items
    std::optional<std::string> pattern{};
    std::optional<std::int64_t> low{}, high{};
    bool low_open = false, high_open = false;
    std::vector<ShapeId> prefix{};  // of the first items
    std::optional<ShapeId> items{}; // of the others; there are none otherwise
    std::vector<Property> properties{};
    std::optional<ShapeId> others{}; // of properties of other names; there are none otherwise
};

class Shapes {
  public:
    // `place` is put before the JSON pointers of errors. Throws Error(Input), as all of it does.
    Shapes(const nlohmann::ordered_json& schema, std::string place);
    ~Shapes();

    ShapeId root() const { return 0; }
    const std::vector<Alternative>& alternatives(ShapeId id);

  private:
    class Reader;
    struct Shape;
    std::vector<std::unique_ptr<Shape>> shapes_;
    std::unique_ptr<Reader> reader_;
};

} // namespace assay::engine
