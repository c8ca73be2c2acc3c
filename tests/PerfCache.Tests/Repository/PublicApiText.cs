// SPDX-License-Identifier: MIT
using System.Globalization;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;

namespace PerfCache.Tests.Repository;

/// <summary>
/// The public surface of an assembly as sorted text: one line a type, one indented line a member, in words
/// close to C#. It shows what a caller's source or binary depends on: names, kinds, types, modifiers,
/// constants, defaults and constraints. Not shown: attributes, and whether a reference may be null below the
/// outermost type.
/// </summary>
internal static class PublicApiText
{
    private const BindingFlags Declared = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static
        | BindingFlags.Instance | BindingFlags.DeclaredOnly;

    private static readonly NullabilityInfoContext s_nullability = new();

    /// <summary>The text of the surface of some public types.</summary>
    public static string Of(params IEnumerable<Type> types)
    {
        StringBuilder text = new();
        foreach (Type type in types.OrderBy(type => type.FullName, StringComparer.Ordinal))
        {
            text.Append(OfType(type)).Append('\n');
            foreach (string member in Members(type).Order(StringComparer.Ordinal))
                text.Append("  ").Append(member).Append('\n');
        }

        return text.ToString();
    }

    private static string OfType(Type type)
    {
        string kind =
            type.IsEnum ? "enum"
            : type.IsInterface ? "interface"
            : IsDelegate(type) ? "delegate"
            : type.IsValueType ? (IsReadOnly(type) ? "readonly " : "") + (type.IsByRefLike ? "ref struct" : "struct")
            : type is { IsAbstract: true, IsSealed: true } ? "static class"
            : type.IsAbstract ? "abstract class"
            : type.IsSealed ? "sealed class"
            : "class";
        List<string> bases = [];
        if (type.IsEnum) bases.Add(Name(Enum.GetUnderlyingType(type)));
        else if (type.IsClass && !IsDelegate(type) && type.BaseType != typeof(object)) bases.Add(Name(type.BaseType!));
        if (!type.IsEnum && !IsDelegate(type))
            bases.AddRange(type.GetInterfaces().Where(IsVisible).Select(Name).Order(StringComparer.Ordinal));
        return $"{kind} {type.Namespace}.{Name(type)}" + (bases.Count > 0 ? " : " + string.Join(", ", bases) : "")
            + Constraints(type.GetGenericArguments());
    }

    private static IEnumerable<string> Members(Type type)
    {
        if (IsDelegate(type)) return [OfMethod(type.GetMethod("Invoke")!)];
        if (type.IsEnum)
        {
            return type.GetFields(BindingFlags.Public | BindingFlags.Static).Select(
                field => $"{field.Name} = {Literal(field.GetRawConstantValue())}");
        }

        return type.GetFields(Declared).Where(field => IsVisible(field)).Select(OfField)
            .Concat(type.GetConstructors(Declared).Where(IsVisible).Select(OfMethod))
            .Concat(type.GetProperties(Declared)
                .Where(property => property.GetAccessors(true).Any(IsVisible)).Select(OfProperty))
            .Concat(type.GetEvents(Declared).Where(raised => IsVisible(raised.AddMethod!))
                .Select(raised => $"event {Name(raised.EventHandlerType!)} {raised.Name}"))
            .Concat(type.GetMethods(Declared).Where(IsVisible).Where(IsWritten).Select(OfMethod));
    }

    private static string OfField(FieldInfo field)
    {
        string modifiers = Access(field.IsPublic)
            + (field.IsLiteral ? "const " : (field.IsStatic ? "static " : "") + (field.IsInitOnly ? "readonly " : ""));
        string value = field.IsLiteral ? " = " + Literal(field.GetRawConstantValue()) : "";
        string mark = Mark(s_nullability.Create(field).ReadState, field.FieldType);
        return $"{modifiers}{Name(field.FieldType)}{mark} {field.Name}{value}";
    }

    private static string OfProperty(PropertyInfo property)
    {
        MethodInfo accessor = property.GetAccessors(true).First(IsVisible);
        NullabilityInfo nullability = s_nullability.Create(property);
        string mark = Mark(property.CanRead ? nullability.ReadState : nullability.WriteState, property.PropertyType);
        string index = string.Join(", ", property.GetIndexParameters().Select(OfParameter));
        string accessors = string.Concat(
            new[] { property.GetMethod, property.SetMethod }.OfType<MethodInfo>().Where(IsVisible)
                .Select(method => (method.IsPublic || !accessor.IsPublic ? "" : "protected ") + KindOf(method) + "; "));
        string required = property.IsDefined(typeof(RequiredMemberAttribute)) ? "required " : "";
        return $"{Modifiers(accessor)}{required}{Name(property.PropertyType)}{mark} "
            + $"{(index.Length > 0 ? $"this[{index}]" : property.Name)} {{ {accessors}}}";

        string KindOf(MethodInfo method) =>
            method == property.GetMethod ? "get"
            : method.ReturnParameter.GetRequiredCustomModifiers().Contains(typeof(IsExternalInit)) ? "init" : "set";
    }

    private static string OfMethod(MethodBase method)
    {
        string parameters = string.Join(", ", method.GetParameters().Select(OfParameter));
        if (method is not MethodInfo info) return $"{Access(method.IsPublic)}new({parameters})";
        Type[] arguments = info.GetGenericArguments();
        string generic = arguments.Length > 0 ? $"<{string.Join(", ", arguments.Select(Name))}>" : "";
        string mark = Mark(s_nullability.Create(info.ReturnParameter).ReadState, info.ReturnType);
        string readOnlyRef = info.ReturnParameter.GetRequiredCustomModifiers().Length > 0 ? "readonly " : "";
        return $"{Modifiers(info)}{readOnlyRef}{Name(info.ReturnType)}{mark} {info.Name}{generic}"
            + $"({parameters}){Constraints(arguments)}";
    }

    private static string OfParameter(ParameterInfo parameter)
    {
        Type type = parameter.ParameterType;
        string passing =
            !type.IsByRef ? ""
            : parameter.IsOut ? "out "
            : parameter.IsDefined(typeof(RequiresLocationAttribute)) ? "ref readonly "
            : parameter.IsIn ? "in " : "ref ";
        if (type.IsByRef) type = type.GetElementType()!;
        if (parameter.IsDefined(typeof(ParamArrayAttribute)) || parameter.IsDefined(typeof(ParamCollectionAttribute)))
            passing = "params ";
        string mark = Mark(s_nullability.Create(parameter).WriteState, type);
        string defaultValue = parameter.HasDefaultValue ? " = " + Literal(parameter.RawDefaultValue) : "";
        return $"{passing}{Name(type)}{mark} {parameter.Name}{defaultValue}";
    }

    private static string Name(Type type)
    {
        if (type.IsByRef) return "ref " + Name(type.GetElementType()!);
        if (type.IsPointer) return Name(type.GetElementType()!) + "*";
        if (type.IsArray) return $"{Name(type.GetElementType()!)}[{new string(',', type.GetArrayRank() - 1)}]";
        if (Nullable.GetUnderlyingType(type) is { } underlying) return Name(underlying) + "?";
        if (type.IsGenericParameter) return type.Name;
        // A nested type repeats its parent's type arguments; they are printed once, with the innermost name.
        string name = type.IsNested ? $"{type.DeclaringType!.Name.Split('`')[0]}.{type.Name}" : type.Name;
        return type.IsGenericType
            ? $"{name.Split('`')[0]}<{string.Join(", ", type.GetGenericArguments().Select(Name))}>"
            : name;
    }

    private static string Constraints(Type[] arguments) => string.Concat(
        from argument in arguments
        where argument.IsGenericParameter
        let flags = argument.GenericParameterAttributes
        let words = new[]
        {
            flags.HasFlag(GenericParameterAttributes.NotNullableValueTypeConstraint) ? "struct" : "",
            flags.HasFlag(GenericParameterAttributes.ReferenceTypeConstraint) ? "class" : "",
            flags.HasFlag(GenericParameterAttributes.AllowByRefLike) ? "allows ref struct" : "",
        }.Where(word => word.Length > 0)
            .Concat(argument.GetGenericParameterConstraints().Where(bound => bound != typeof(ValueType)).Select(Name))
            .ToArray()
        where words.Length > 0
        select $" where {argument.Name} : {string.Join(", ", words)}");

    private static string Modifiers(MethodInfo method) => Access(method.IsPublic)
        + (method.IsStatic ? "static " : "")
        + (method.DeclaringType!.IsInterface ? (method.IsStatic && method.IsAbstract ? "abstract " : "")
            : method.IsAbstract ? "abstract "
            : !method.IsVirtual || method.IsFinal ? ""
            : method.GetBaseDefinition() != method ? "override " : "virtual ");

    private static string Literal(object? value) => value switch
    {
        null => "default",
        string text => $"\"{text}\"",
        bool truth => truth ? "true" : "false",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private static string Access(bool isPublic) => isPublic ? "" : "protected ";

    private static string Mark(NullabilityState state, Type type) =>
        state == NullabilityState.Nullable && Nullable.GetUnderlyingType(type) is null ? "?" : "";

    private static bool IsVisible(MethodBase method) => method.IsPublic
        || ((method.IsFamily || method.IsFamilyOrAssembly) && !method.DeclaringType!.IsSealed);

    private static bool IsVisible(FieldInfo field) => field.IsPublic
        || ((field.IsFamily || field.IsFamilyOrAssembly) && !field.DeclaringType!.IsSealed);

    private static bool IsVisible(Type type) => type.IsVisible;

    private static bool IsDelegate(Type type) => type.IsSubclassOf(typeof(MulticastDelegate));

    private static bool IsReadOnly(Type type) => type.IsDefined(typeof(IsReadOnlyAttribute));

    // Accessors are shown with their property or event; what the compiler adds to a record goes without
    // saying.
    private static bool IsWritten(MethodInfo method) =>
        (!method.IsSpecialName || method.Name.StartsWith("op_", StringComparison.Ordinal))
        && !method.IsDefined(typeof(CompilerGeneratedAttribute));
}
