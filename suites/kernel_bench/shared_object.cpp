#include "shared_object.h"

#include "assay/base/error.h"

#include <elf.h>

#include <cstring>

namespace assay::kernel_bench {

namespace {

constexpr std::size_t kMaxSymbols = 1 << 20;
constexpr std::size_t kMaxName = 4096;

[[noreturn]] void bad(const char* what) {
    throw Error(ErrorKind::Input, std::string("not a shared object that can be read: ") + what);
}

class Reader {
  public:
    explicit Reader(std::string_view bytes)
        : bytes_(bytes) {}

    ElfSummary read() {
        header();
        dynamic();
        strings_ = section_of_address(strings_address_, strings_size_);
        ElfSummary summary;
        for (std::uint64_t offset : needed_) summary.needed.push_back(name(offset));
        summary.constructors = init_bytes_ / 8;
        symbols(summary);
        return summary;
    }

  private:
    template<class T>
    T at(std::uint64_t offset) const {
        if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) bad("it is cut short");
        T value;
        std::memcpy(&value, bytes_.data() + offset, sizeof value);
        return value;
    }

    void header() {
        header_ = at<Elf64_Ehdr>(0);
        if (std::memcmp(header_.e_ident, ELFMAG, SELFMAG) != 0) bad("no ELF magic");
        if (header_.e_ident[EI_CLASS] != ELFCLASS64 || header_.e_ident[EI_DATA] != ELFDATA2LSB)
            bad("not 64-bit little-endian");
        if (header_.e_type != ET_DYN) bad("not a shared object");
        if (header_.e_phentsize != sizeof(Elf64_Phdr)) bad("odd program headers");
        for (unsigned i = 0; i < header_.e_phnum; ++i) {
            auto segment = at<Elf64_Phdr>(header_.e_phoff + i * sizeof(Elf64_Phdr));
            if (segment.p_type == PT_LOAD) loads_.push_back(segment);
            if (segment.p_type == PT_DYNAMIC) dynamic_ = segment;
        }
        if (dynamic_.p_type != PT_DYNAMIC) bad("no dynamic segment");
    }

    void dynamic() {
        std::uint64_t entries = dynamic_.p_filesz / sizeof(Elf64_Dyn);
        for (std::uint64_t i = 0; i < entries; ++i) {
            auto entry = at<Elf64_Dyn>(dynamic_.p_offset + i * sizeof(Elf64_Dyn));
            std::uint64_t value = entry.d_un.d_val;
            switch (entry.d_tag) {
            case DT_NULL:
                return;
            case DT_NEEDED:
                if (needed_.size() < 1000) needed_.push_back(value);
                break;
            case DT_STRTAB:
                strings_address_ = value;
                break;
            case DT_STRSZ:
                strings_size_ = value;
                break;
            case DT_SYMTAB:
                symbols_address_ = value;
                break;
            case DT_INIT_ARRAYSZ:
                init_bytes_ = value;
                break;
            default:
                break;
            }
        }
    }

    std::uint64_t offset_of(std::uint64_t address, std::uint64_t size) const {
        for (const Elf64_Phdr& load : loads_) {
            if (address < load.p_vaddr || address - load.p_vaddr >= load.p_filesz) continue;
            std::uint64_t inside = address - load.p_vaddr;
            if (size > load.p_filesz - inside) bad("a table is longer than its segment");
            if (load.p_offset > bytes_.size() || inside > bytes_.size() - load.p_offset)
                bad("a segment lies outside of the file");
            return load.p_offset + inside;
        }
        bad("a table lies outside of all segments");
    }

    std::string_view section_of_address(std::uint64_t address, std::uint64_t size) const {
        std::uint64_t offset = offset_of(address, size);
        if (size > bytes_.size() - offset) bad("a table is cut short");
        return bytes_.substr(offset, size);
    }

    std::string name(std::uint64_t offset) const {
        if (offset >= strings_.size()) bad("a name lies outside of the string table");
        std::string_view rest = strings_.substr(offset);
        std::size_t end = rest.find('\0');
        if (end == std::string_view::npos || end > kMaxName) bad("a name has no end");
        return std::string(rest.substr(0, end));
    }

    // The number of dynamic symbols stands in the section header of type SHT_DYNSYM.
    std::uint64_t symbol_count() const {
        if (header_.e_shnum == 0 || header_.e_shentsize != sizeof(Elf64_Shdr))
            bad("no section headers");
        for (unsigned i = 0; i < header_.e_shnum; ++i) {
            auto section = at<Elf64_Shdr>(header_.e_shoff + i * sizeof(Elf64_Shdr));
            if (section.sh_type != SHT_DYNSYM) continue;
            if (section.sh_addr != symbols_address_) bad("two symbol tables");
            return section.sh_size / sizeof(Elf64_Sym);
        }
        bad("no symbol table");
    }

    void symbols(ElfSummary& summary) const {
        std::uint64_t count = symbol_count();
        if (count > kMaxSymbols) bad("too many symbols");
        std::uint64_t offset = offset_of(symbols_address_, count * sizeof(Elf64_Sym));
        for (std::uint64_t i = 1; i < count; ++i) {
            auto symbol = at<Elf64_Sym>(offset + i * sizeof(Elf64_Sym));
            if (symbol.st_name == 0) continue;
            if (ELF64_ST_TYPE(symbol.st_info) == STT_GNU_IFUNC) summary.indirect_functions = true;
            auto& list = symbol.st_shndx == SHN_UNDEF ? summary.undefined : summary.defined;
            list.push_back(name(symbol.st_name));
        }
    }

    std::string_view bytes_, strings_;
    Elf64_Ehdr header_{};
    Elf64_Phdr dynamic_{};
    std::vector<Elf64_Phdr> loads_;
    std::vector<std::uint64_t> needed_;
    std::uint64_t strings_address_ = 0, strings_size_ = 0, symbols_address_ = 0, init_bytes_ = 0;
};

} // namespace

ElfSummary read_elf(std::string_view bytes) {
    return Reader(bytes).read();
}

} // namespace assay::kernel_bench
